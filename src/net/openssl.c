/* openssl.c - see openssl.h.
 *
 * Invariant: rota_openssl is written once, whole, before anybody reads it: whoever calls OpenSSL has called rota_openssl_load before.
 */
#include "net/openssl.h"
#include "base/errinfo.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The version whose headers this was built with: others may differ in what functions take. */
#define TEXT_OF(number) #number
#define LIBRARY_OF(number) "libssl.so." TEXT_OF(number)
#define LIBRARY LIBRARY_OF(OPENSSL_SHLIB_VERSION)

/* Tells packagers what ldd does not: https://uapi-group.org/specifications/specs/elf_dlopen_metadata */
#define NOTE_TEXT \
    "[{\"feature\":\"tls\",\"description\":\"TLS for channels and servers\",\"priority\":\"recommended\",\"soname\":[\"" LIBRARY "\"]}]"
static const struct {
    uint32_t name_size, text_size, type;
    char name[4], text[(sizeof(NOTE_TEXT) + 3) / 4 * 4];
} note __attribute__((used, aligned(4), section(".note.dlopen"))) = {4, sizeof(note.text), 0x407c0c0a, "FDO", NOTE_TEXT};

/* One run of text rather than pointers, which would have to be relocated at every start. */
static const char names[] =
#define NAME(name) #name "\0"
    ROTA_OPENSSL_MAP(NAME)
#undef NAME
    ;

struct rota_openssl rota_openssl;

rota_err rota_openssl_read(const char *library, struct rota_openssl *ret_calls, struct rota_errinfo *info)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    struct rota_openssl calls;
    char *slot = (char *)&calls;

    if (handle == NULL)
        return rota_errinfo_set(info, ROTA_EUNSUPPORTED, "TLS needs OpenSSL, which cannot be loaded: %s", dlerror());
    for (const char *name = names; *name != '\0'; name += strlen(name) + 1) {
        /* libcrypto's are found too, since libssl depends on it. */
        void *function = dlsym(handle, name);
        if (function == NULL) {
            dlclose(handle);
            return rota_errinfo_set(info, ROTA_EUNSUPPORTED, "TLS needs OpenSSL 3, and the %s that was found has no %s", library, name);
        }
        memcpy(slot, &function, sizeof(function));
        slot += sizeof(function);
    }
    *ret_calls = calls;
    return 0;
}

rota_err rota_openssl_load(struct rota_errinfo *info)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool loaded;
    rota_err err = 0;

#ifdef ROTA_LINK_OPENSSL
    loaded = true; /* by the linker */
#endif
    /* Channels of several loops may be opened at once. */
    pthread_mutex_lock(&lock);
    if (!loaded)
        err = rota_openssl_read(LIBRARY, &rota_openssl, info);
    loaded = err == 0;
    pthread_mutex_unlock(&lock);
    return err;
}
