# rota_generate(TARGET target PROTOS file.proto ... [IMPORT_DIRS dir ...] [MESSAGES_ONLY])
#
# Compiles .proto files to messages (x.pb-c.h, x.pb-c.c, protobuf-c's) and to typed stubs and handler tables
# (x.rota.h, x.rota.c, rota's), adds all of it to `target`'s sources and the folder of the headers to its include
# directories. A file is named in generated code by its path below the import directory that holds it; without
# IMPORT_DIRS that is the folder of the first file. With MESSAGES_ONLY there are no stubs, and protoc-gen-rota is not
# used. The same function serves rota's own build and installed rota.
#
# The project must have the language C (a project of C++ alone says enable_language(C)); the headers are for both.
#
# The programs it runs are looked for once: ROTA_PROTOC, ROTA_PROTOC_GEN_C and, in a cross build, which cannot run the
# protoc-gen-rota it makes or finds installed, ROTA_PROTOC_GEN_ROTA.

cmake_policy(PUSH)
cmake_policy(VERSION 3.25) # functions keep it, whatever the including project asks for; CMP0116 is about DEPFILE

function(rota_generate)
    cmake_parse_arguments(PARSE_ARGV 0 arg "MESSAGES_ONLY" "TARGET" "PROTOS;IMPORT_DIRS")
    if(NOT arg_TARGET OR NOT arg_PROTOS OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "rota_generate(TARGET target PROTOS file.proto ... [IMPORT_DIRS dir ...] [MESSAGES_ONLY])")
    endif()
    # Sources of a language that the project does not have are left out without a word.
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if(NOT C IN_LIST languages)
        message(FATAL_ERROR "rota_generate makes C, which this project has not enabled: project(... LANGUAGES C CXX), or enable_language(C)")
    endif()
    find_program(ROTA_PROTOC protoc REQUIRED)
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

    set(run "")
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${arg_TARGET}.generated)
    if(arg_MESSAGES_ONLY)
        set(endings pb-c.c pb-c.h)
        set(plugin "")
        set(flags --plugin=protoc-gen-c=${ROTA_PROTOC_GEN_C} --c_out=${out})
    else()
        set(endings pb-c.c pb-c.h rota.c rota.h)
        set(plugin rota::protoc-gen-rota)
        set(plugin_file $<TARGET_FILE:${plugin}>)
        if(CMAKE_CROSSCOMPILING)
            # By PATH alone: below the prefixes of packages lie the target's programs.
            find_program(ROTA_PROTOC_GEN_ROTA protoc-gen-rota REQUIRED
                NO_PACKAGE_ROOT_PATH NO_CMAKE_PATH NO_CMAKE_ENVIRONMENT_PATH NO_CMAKE_INSTALL_PREFIX NO_CMAKE_FIND_ROOT_PATH)
            set(plugin ${ROTA_PROTOC_GEN_ROTA})
            set(plugin_file ${plugin})
        endif()
        set(flags --plugin=protoc-gen-rota=${plugin_file} --rota_out=${out})
        # protoc-gen-rota runs protoc-gen-c for the messages, and finds it by PATH.
        cmake_path(GET ROTA_PROTOC_GEN_C PARENT_PATH gen_c_dir)
        set(run ${CMAKE_COMMAND} -E env --modify PATH=path_list_prepend:${gen_c_dir})
    endif()
    foreach(proto IN LISTS arg_PROTOS)
        cmake_path(ABSOLUTE_PATH proto NORMALIZE)
        rota_proto_stem(stem ${proto} ${dirs})
        set(made "") # in the order of the alphabet, as protoc writes them: ninja compares the first
        foreach(ending IN LISTS endings)
            list(APPEND made ${out}/${stem}.${ending})
        endforeach()
        # Imports are embedded in what is generated, so it depends on them too. protoc writes their names as they are, and
        # where one has a space that is no list of files.
        set(imports DEPFILE ${out}/${stem}.d)
        set(imports_flag --dependency_out=${out}/${stem}.d)
        if("${out};${dirs}" MATCHES " ")
            set(imports "")
            set(imports_flag "")
        endif()
        cmake_path(GET stem PARENT_PATH subfolder)
        add_custom_command(
            OUTPUT ${made}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${out}/${subfolder}
            COMMAND ${run} ${ROTA_PROTOC} ${import_flags} ${flags} ${imports_flag} ${proto}
            DEPENDS ${arg_PROTOS} ${plugin}
            ${imports}
            COMMENT "Generating code of ${stem}.proto"
            VERBATIM)
        # Static names are those of one file, and two may have the same.
        set_source_files_properties(${made} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
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

cmake_policy(POP)
