/* fuzz_replay.c - main of a fuzz target outside of libFuzzer: feeds it every file of the corpora named.
 *
 * An empty corpus is a failure, since a replay that replays nothing proves nothing. The input is copied to a block
 * of exactly its size, so that a sanitizer sees the first byte read past it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static int replay_file(const char *path, size_t size_bytes)
{
    uint8_t *data = malloc(size_bytes > 0 ? size_bytes : 1);
    FILE *file = fopen(path, "rb");
    int result = -1;

    if (data == NULL || file == NULL || fread(data, 1, size_bytes, file) != size_bytes) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        goto out;
    }
    printf("%s (%zu bytes)\n", path, size_bytes);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size_bytes);
    result = 0;
out:
    if (file != NULL)
        fclose(file);
    free(data);
    return result;
}

/* Returns the number of files replayed, or -1. */
static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int n_files = 0;

    if (dir == NULL) {
        fprintf(stderr, "cannot open the corpus %s: %s\n", folder, strerror(errno));
        return -1;
    }
    while (n_files >= 0 && (entry = readdir(dir)) != NULL) {
        char path[4096];
        struct stat info;

        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path || stat(path, &info) < 0) {
            fprintf(stderr, "cannot stat %s in %s\n", entry->d_name, folder);
            n_files = -1;
        } else if (S_ISREG(info.st_mode)) {
            n_files = replay_file(path, (size_t)info.st_size) < 0 ? -1 : n_files + 1;
        }
    }
    closedir(dir);
    return n_files;
}

int main(int argc, char **argv)
{
    int n_total = 0;

    for (int i = 1; i < argc; i++) {
        int n_files = replay_folder(argv[i]);

        if (n_files < 0)
            return 1;
        n_total += n_files;
    }
    printf("%d inputs replayed\n", n_total);
    return n_total > 0 ? 0 : 1;
}
