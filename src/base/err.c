/* err.c - names and sentences of the error codes, from the table in rota/err.h. */
#include <rota/err.h>

const char *rota_err_name(rota_err err)
{
    switch (err) {
    case ROTA_SUCCESS:
        return "ROTA_SUCCESS";
#define NAME_CASE(name, code, text) \
    case ROTA_##name: \
        return "ROTA_" #name;
        ROTA_ERR_MAP(NAME_CASE)
#undef NAME_CASE
    default:
        return "ROTA_EUNKNOWN";
    }
}

const char *rota_err_text(rota_err err)
{
    switch (err) {
    case ROTA_SUCCESS:
        return "success";
#define TEXT_CASE(name, code, text) \
    case ROTA_##name: \
        return text;
        ROTA_ERR_MAP(TEXT_CASE)
#undef TEXT_CASE
    default:
        return "unknown error";
    }
}
