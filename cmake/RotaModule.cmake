# The words a folder's CMakeLists.txt is written in.
#
# A folder is one module: a static library rota_<module>, which links nothing but the modules and libraries it
# names, so that a forbidden include does not find its header's library and shows at the link. The modules of
# librota are gathered by rota_library (RotaLibrary.cmake).

enable_testing()

# ctest has three slots a core (the presets' jobs, dev/test). A test takes a core's, or one when it mostly WAITS.
set(ROTA_CORE_SLOTS 3)
# The thread sanitizer sees something only where there are threads, so its build has THREADS' tests and no programs.
set(ROTA_ONLY_THREADS OFF)
if(ROTA_SANITIZE STREQUAL "thread")
    set(ROTA_ONLY_THREADS ON)
endif()
if(ROTA_FUZZ)
    add_custom_target(fuzzers)
endif()

# rota_add_folder(folder): reads the folder if it has a CMakeLists.txt
function(rota_add_folder folder)
    if(EXISTS ${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt)
        add_subdirectory(${folder})
    endif()
endfunction()

# rota_module(name [NOT_IN_LIBRARY] [THREADS] [SOURCES file ...] [PROTOS file.proto ...] [IMPORT_DIRS dir ...]
#             [MESSAGES_ONLY] [DEPS module ...] [LIBS library ...] [HOT file ...] [COLD file ...|ALL]
#             [TEST_DEPS module ...] [TEST_SOURCES file ...])
#
# SOURCES   default: every .c of the folder but *_test.c and *_fixture.c
# PROTOS    .proto files whose generated code belongs to the module (IMPORT_DIRS, MESSAGES_ONLY: see rota_generate)
# DEPS      modules it includes, by folder name; users of this module may include those too
# LIBS      libraries outside of rota, by the names in RotaDependencies.cmake
# HOT       sources that calls spend their time in: optimised for speed, -O3
# COLD      sources that work at the start, when servers or settings change, or when something fails: for size, -Os
# TEST_DEPS modules that only its tests use; `testing` is always there once it exists
# TEST_SOURCES fixtures of other folders that all of its tests are linked with
#
# THREADS   its tests use them
#
# Every x_test.c of the folder becomes the cmocka program <module>_x_test, linked with all *_fixture.c of the
# folder (compiled once), and a test of that name with the labels `unit` and <module>. NOT_IN_LIBRARY keeps the module out of
# librota (testing, sim, codegen).
function(rota_module name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "NOT_IN_LIBRARY;THREADS;MESSAGES_ONLY" ""
        "SOURCES;PROTOS;IMPORT_DIRS;DEPS;LIBS;HOT;COLD;TEST_DEPS;TEST_SOURCES")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "rota_module(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
    endif()
    file(GLOB tests CONFIGURE_DEPENDS *_test.c)
    file(GLOB fixtures CONFIGURE_DEPENDS *_fixture.c)
    if(NOT arg_SOURCES)
        file(GLOB arg_SOURCES CONFIGURE_DEPENDS *.c)
        list(REMOVE_ITEM arg_SOURCES ${tests} ${fixtures})
    endif()

    set(target rota_${name})
    if(arg_SOURCES OR arg_PROTOS)
        add_library(${target} STATIC ${arg_SOURCES})
        set(scope PUBLIC)
        if(NOT arg_NOT_IN_LIBRARY)
            set_property(GLOBAL APPEND PROPERTY ROTA_MODULES ${name})
        endif()
    else()
        add_library(${target} INTERFACE)
        set(scope INTERFACE)
    endif()
    rota_optimise(HOT ${arg_HOT} COLD ${arg_COLD} OF ${arg_SOURCES})
    target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    if(arg_NOT_IN_LIBRARY)
        # testing/, sim/ and codegen/ are included by their path from the top.
        target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR})
    endif()
    rota_link(${target} ${scope} DEPS ${arg_DEPS} LIBS ${arg_LIBS})
    if(arg_PROTOS)
        set(only "")
        if(arg_MESSAGES_ONLY)
            set(only MESSAGES_ONLY)
        endif()
        rota_generate(TARGET ${target} PROTOS ${arg_PROTOS} IMPORT_DIRS ${arg_IMPORT_DIRS} ${only})
    endif()

    set(threads "")
    if(arg_THREADS)
        set(threads THREADS)
    elseif(ROTA_ONLY_THREADS)
        return()
    endif()
    list(APPEND fixtures ${arg_TEST_SOURCES})
    if(BUILD_TESTING AND tests AND fixtures)
        # Objects, not an archive: a fixture that plays a part of the module must be linked even if that part is there first.
        add_library(${target}_fixtures OBJECT ${fixtures})
        rota_link_test(${target}_fixtures DEPS ${name} ${arg_TEST_DEPS})
        set(fixtures $<TARGET_OBJECTS:${target}_fixtures>)
    endif()
    foreach(test IN LISTS tests)
        cmake_path(GET test STEM stem)
        rota_test(${name}_${stem} ${threads} SOURCES ${test} ${fixtures} DEPS ${name} ${arg_TEST_DEPS} LABELS unit ${name})
    endforeach()
endfunction()

# rota_optimise([HOT file ...] [COLD file ...|ALL] OF file ...): another level than -O2 for some of the files
function(rota_optimise)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "HOT;COLD;OF")
    if(arg_COLD STREQUAL "ALL")
        set(arg_COLD ${arg_OF})
    endif()
    foreach(file IN LISTS arg_HOT arg_COLD)
        cmake_path(ABSOLUTE_PATH file NORMALIZE)
        if(NOT EXISTS ${file})
            message(FATAL_ERROR "HOT or COLD names a file that is not there: ${file}")
        endif()
    endforeach()
    set_source_files_properties(${arg_HOT} PROPERTIES COMPILE_OPTIONS "$<$<NOT:$<CONFIG:Debug>>:-O3>")
    set_source_files_properties(${arg_COLD} PROPERTIES COMPILE_OPTIONS "$<$<NOT:$<CONFIG:Debug>>:-Os>")
endfunction()

# rota_program(name [INSTALL] [OUTPUT file] SOURCES file ... [DEPS module ...] [LIBS library ...])
#
# A program. `DEPS rota` is the whole librota.a. INSTALL puts it into bin/ and makes the target rota::<name>.
function(rota_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "INSTALL" "OUTPUT" "SOURCES;DEPS;LIBS")
    if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "rota_program(${name}) needs SOURCES and knows no ${arg_UNPARSED_ARGUMENTS}")
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include)
    rota_link(${name} PRIVATE DEPS ${arg_DEPS} LIBS ${arg_LIBS})
    if(arg_OUTPUT)
        set_target_properties(${name} PROPERTIES OUTPUT_NAME ${arg_OUTPUT})
    endif()
    if(arg_INSTALL)
        # rota::rota is the library.
        set(exported ${name})
        if(name STREQUAL "rota")
            set(exported rota_command)
        endif()
        add_executable(rota::${exported} ALIAS ${name})
        set_target_properties(${name} PROPERTIES EXPORT_NAME ${exported})
        install(TARGETS ${name} EXPORT rota)
    endif()
endfunction()

# rota_test(name [WAITS] [THREADS] SOURCES file ... [DEPS module ...] [LIBS library ...] [LABELS label ...] [TIMEOUT seconds]
#           [ARGS argument ...])
#
# A cmocka program that ctest runs; the default timeout leaves room for sanitizers on a busy machine.
function(rota_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "WAITS;THREADS" "TIMEOUT" "SOURCES;DEPS;LIBS;LABELS;ARGS")
    if(NOT BUILD_TESTING OR (ROTA_ONLY_THREADS AND NOT arg_THREADS))
        return()
    endif()
    add_executable(${name} ${arg_SOURCES})
    rota_link_test(${name} DEPS ${arg_DEPS} LIBS ${arg_LIBS})
    add_test(NAME ${name} COMMAND ${name} ${arg_ARGS})
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 60)
    endif()
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
    rota_test_temporary(${name})
    if(NOT arg_WAITS)
        set_tests_properties(${name} PROPERTIES PROCESSORS ${ROTA_CORE_SLOTS})
    endif()
endfunction()

# rota_test_temporary(name): what the test leaves behind, should it be killed, is in the build's tmp/ (but for sockets, whose paths must be short)
function(rota_test_temporary name)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/tmp)
    set_tests_properties(${name} PROPERTIES ENVIRONMENT_MODIFICATION "TMPDIR=set:${CMAKE_BINARY_DIR}/tmp")
endfunction()

# rota_link_test(target [DEPS module ...] [LIBS library ...]): what a cmocka program, or a part of one, is compiled and linked with
function(rota_link_test target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPS;LIBS")
    find_package(PkgConfig REQUIRED)
    if(NOT TARGET PkgConfig::rota_cmocka)
        pkg_check_modules(rota_cmocka REQUIRED IMPORTED_TARGET GLOBAL cmocka)
    endif()
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
    rota_link(${target} PRIVATE DEPS ${arg_DEPS} LIBS ${arg_LIBS})
    target_link_libraries(${target} PRIVATE $<TARGET_NAME_IF_EXISTS:rota_testing> PkgConfig::rota_cmocka)
endfunction()

# rota_fuzz_target(name SOURCES file ... [DEPS module ...] [LIBS library ...] CORPUS dir [DICT file])
#
# With ROTA_FUZZ a libFuzzer program, whose mutations know the words of DICT. Else a program that feeds each file of the corpus to
# LLVMFuzzerTestOneInput, whole, and a test <name> with the label `fuzz-corpus` that runs it.
function(rota_fuzz_target name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS;DICT" "SOURCES;DEPS;LIBS")
    cmake_path(ABSOLUTE_PATH arg_CORPUS NORMALIZE)
    if(NOT IS_DIRECTORY ${arg_CORPUS})
        message(FATAL_ERROR "rota_fuzz_target(${name}): no corpus folder ${arg_CORPUS}")
    endif()
    if(arg_DICT)
        cmake_path(ABSOLUTE_PATH arg_DICT NORMALIZE)
        if(NOT EXISTS ${arg_DICT})
            message(FATAL_ERROR "rota_fuzz_target(${name}): no dictionary ${arg_DICT}")
        endif()
    endif()
    if(NOT BUILD_TESTING AND NOT ROTA_FUZZ)
        return()
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
    # libFuzzer's entry point has no prototype of its own in C.
    target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
    rota_link(${name} PRIVATE DEPS ${arg_DEPS} LIBS ${arg_LIBS})
    if(ROTA_FUZZ)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        add_dependencies(fuzzers ${name})
        set_property(GLOBAL APPEND PROPERTY ROTA_FUZZERS "$<TARGET_FILE:${name}>\t${arg_CORPUS}\t${arg_DICT}\n")
    else()
        if(NOT TARGET rota_fuzz_replay)
            add_library(rota_fuzz_replay OBJECT ${PROJECT_SOURCE_DIR}/cmake/fuzz_replay.c)
        endif()
        target_sources(${name} PRIVATE $<TARGET_OBJECTS:rota_fuzz_replay>)
        add_test(NAME ${name} COMMAND ${name} ${arg_CORPUS})
        set_tests_properties(${name} PROPERTIES LABELS fuzz-corpus TIMEOUT 120 PROCESSORS ${ROTA_CORE_SLOTS})
    endif()
endfunction()

# rota_fuzzers(): writes build/fuzzers.txt, a line for each fuzz target, program, corpus and dictionary (may be empty) with a tab between: what dev/fuzz runs
function(rota_fuzzers)
    get_property(fuzzers GLOBAL PROPERTY ROTA_FUZZERS)
    list(JOIN fuzzers "" lines)
    file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/fuzzers.txt CONTENT "${lines}")
endfunction()

# rota_link(target scope [DEPS module ...] [LIBS library ...])
function(rota_link target scope)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "DEPS;LIBS")
    foreach(dep IN LISTS arg_DEPS)
        if(dep STREQUAL "rota")
            target_link_libraries(${target} ${scope} rota::rota_static)
        else()
            target_link_libraries(${target} ${scope} rota_${dep})
        endif()
    endforeach()
    foreach(lib IN LISTS arg_LIBS)
        if(lib STREQUAL "threads")
            target_link_libraries(${target} ${scope} Threads::Threads)
        elseif(lib STREQUAL "m")
            target_link_libraries(${target} ${scope} m)
        elseif(TARGET PkgConfig::rota_${lib})
            target_link_libraries(${target} ${scope} PkgConfig::rota_${lib})
        else()
            message(FATAL_ERROR "${target}: LIBS ${lib} is none of: ${ROTA_LIBS} threads m")
        endif()
    endforeach()
endfunction()
