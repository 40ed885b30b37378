# rota_generate(TARGET target PROTOS file.proto ... [IMPORT_DIRS dir ...] [MESSAGES_ONLY])
#
# Compiles .proto files to messages (x.pb-c.h, x.pb-c.c, protobuf-c's) and to typed stubs and handler tables
# (x.rota.h, x.rota.c, rota's), adds all of it to `target`'s sources and the folder of the headers to its include
# directories. A file is named in generated code by its path below the import directory that holds it; without
# IMPORT_DIRS that is the folder of the first file. With MESSAGES_ONLY there are no stubs, and protoc-gen-rota is not
# used. The same function serves rota's own build and installed rota.

function(rota_generate)
    cmake_parse_arguments(PARSE_ARGV 0 arg "MESSAGES_ONLY" "TARGET" "PROTOS;IMPORT_DIRS")
    if(NOT arg_TARGET OR NOT arg_PROTOS OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "rota_generate(TARGET target PROTOS file.proto ... [IMPORT_DIRS dir ...] [MESSAGES_ONLY])")
    endif()
    find_program(ROTA_PROTOC protoc REQUIRED)
    # protoc-gen-rota runs it for the messages, and finds it by PATH.
    find_program(ROTA_PROTOC_GEN_C protoc-gen-c REQUIRED)

    set(dirs "")
    foreach(dir IN LISTS arg_IMPORT_DIRS)
        cmake_path(ABSOLUTE_PATH dir NORMALIZE)
        list(APPEND dirs ${dir})
    endforeach()
    if(NOT dirs)
        list(GET arg_PROTOS 0 first)
        cmake_path(ABSOLUTE_PATH first NORMALIZE)
        cmake_path(GET first PARENT_PATH dirs)
    endif()
    list(TRANSFORM dirs PREPEND "-I" OUTPUT_VARIABLE import_flags)

    set(out ${CMAKE_CURRENT_BINARY_DIR}/${arg_TARGET}.generated)
    if(arg_MESSAGES_ONLY)
        set(endings pb-c.h pb-c.c)
        set(plugin "")
        set(flags --plugin=protoc-gen-c=${ROTA_PROTOC_GEN_C} --c_out=${out})
    else()
        set(endings pb-c.h pb-c.c rota.h rota.c)
        set(plugin rota::protoc-gen-rota)
        set(flags --plugin=protoc-gen-rota=$<TARGET_FILE:${plugin}> --rota_out=${out})
    endif()
    foreach(proto IN LISTS arg_PROTOS)
        cmake_path(ABSOLUTE_PATH proto NORMALIZE)
        rota_proto_stem(stem ${proto} ${dirs})
        set(made "")
        foreach(ending IN LISTS endings)
            list(APPEND made ${out}/${stem}.${ending})
        endforeach()
        add_custom_command(
            OUTPUT ${made}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
            COMMAND ${ROTA_PROTOC} ${import_flags} ${flags} ${proto}
            DEPENDS ${arg_PROTOS} ${plugin}
            COMMENT "Generating code of ${stem}.proto"
            VERBATIM)
        target_sources(${arg_TARGET} PRIVATE ${made})
    endforeach()
    target_include_directories(${arg_TARGET} PUBLIC $<BUILD_INTERFACE:${out}>)
endfunction()

# rota_proto_stem(ret_var proto dir ...): the proto's path below the first of the folders that holds it, without .proto
function(rota_proto_stem ret_var proto)
    foreach(dir IN LISTS ARGN)
        cmake_path(IS_PREFIX dir ${proto} inside)
        if(inside)
            cmake_path(RELATIVE_PATH proto BASE_DIRECTORY ${dir})
            string(REGEX REPLACE "\\.proto$" "" stem ${proto})
            set(${ret_var} ${stem} PARENT_SCOPE)
            return()
        endif()
    endforeach()
    message(FATAL_ERROR "rota_generate: ${proto} lies in none of the import directories: ${ARGN}")
endfunction()
