# The libraries rota stands on, by the names that LIBS uses in a folder's CMakeLists.txt. Read by the
# installed CMake package too, which asks for those alone that a static link needs (ROTA_LIBS), and finds the same targets.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

if(NOT ROTA_LIBS)
    set(ROTA_LIBS uv protobuf-c openssl cares jansson lmdb zlib)
endif()
set(rota_libs_missing "")
set(rota_pc_uv "libuv>=1.42")
set(rota_pc_protobuf-c "libprotobuf-c>=1.4")
set(rota_pc_openssl "openssl>=3.0")
set(rota_pc_cares "libcares>=1.18")
set(rota_pc_jansson "jansson>=2.13")
set(rota_pc_lmdb "lmdb>=0.9.24")
set(rota_pc_zlib "zlib>=1.2")

foreach(lib IN LISTS ROTA_LIBS)
    if(NOT TARGET PkgConfig::rota_${lib})
        pkg_check_modules(rota_${lib} QUIET IMPORTED_TARGET GLOBAL "${rota_pc_${lib}}")
    endif()
    if(NOT TARGET PkgConfig::rota_${lib})
        list(APPEND rota_libs_missing "${rota_pc_${lib}}")
    endif()
endforeach()
