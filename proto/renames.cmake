# Writes OUT: for each function and variable that HEADERS declare, a #define that puts rota_ before its name.
#
# cmake -DHEADERS="header;..." -DOUT=file -P renames.cmake
#
# In generated headers these are the words in small letters that begin with a package of proto/ (dev/check_symbols finds one left out).
# Types begin with a capital and have no linkage; a tag or a field that is renamed with the rest does no harm.
set(names "")
foreach(header IN LISTS HEADERS)
    file(READ ${header} text)
    string(REGEX MATCHALL "[A-Za-z0-9_]+" words "${text}")
    list(FILTER words INCLUDE REGEX "^(etcdserverpb|mvccpb|grpc|xds)_[a-z0-9_]+$")
    list(APPEND names ${words})
endforeach()
list(REMOVE_DUPLICATES names)
list(SORT names)
list(TRANSFORM names REPLACE "(.+)" "#define \\1 rota_\\1\n")
list(JOIN names "" text)
file(WRITE ${OUT} "${text}")
