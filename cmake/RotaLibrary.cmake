# librota from its modules, and what `install` puts where.
#
# Every module is a static library of its own; librota.so and librota.a hold the objects of them all. Users get
# the targets rota::rota (shared) and rota::rota_static, in this build as from the installed package.

include(CMakePackageConfigHelpers)

# rota_library(): makes both libraries of all modules read so far
function(rota_library)
    get_property(modules GLOBAL PROPERTY ROTA_MODULES)
    if(NOT modules)
        return()
    endif()
    if(rota_libs_missing)
        message(FATAL_ERROR "Libraries not found by pkg-config: ${rota_libs_missing}. `make setup` installs them on Debian.")
    endif()
    list(TRANSFORM modules REPLACE "(.+)" "$<TARGET_OBJECTS:rota_\\1>" OUTPUT_VARIABLE objects)
    rota_linked_libs(linked)
    list(TRANSFORM linked PREPEND "PkgConfig::rota_" OUTPUT_VARIABLE libs)

    add_library(librota_shared SHARED ${objects})
    add_library(librota_static STATIC ${objects})
    # Before 1.0 a minor version may change the interface, and programs must not load another one than they were built for.
    set(soversion ${PROJECT_VERSION_MAJOR})
    if(soversion EQUAL 0)
        set(soversion 0.${PROJECT_VERSION_MINOR})
    endif()
    set_target_properties(librota_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${soversion} LINKER_LANGUAGE C)
    target_link_libraries(librota_shared PRIVATE ${libs} Threads::Threads m)
    target_link_libraries(librota_static PUBLIC ${libs} Threads::Threads m)
    target_link_options(librota_shared PRIVATE -Wl,--as-needed)
    target_link_options(librota_static INTERFACE -Wl,--gc-sections)
    if(NOT ROTA_SANITIZE AND NOT ROTA_FUZZ)
        # Sanitizers' own symbols come from the program, at run time.
        target_link_options(librota_shared PRIVATE -Wl,--no-undefined)
    endif()
    foreach(kind shared static)
        set_target_properties(librota_${kind} PROPERTIES OUTPUT_NAME rota)
        # Generated messages are protobuf-c's, so users compile against its header and link it.
        target_link_libraries(librota_${kind} PUBLIC PkgConfig::rota_protobuf-c)
        target_include_directories(librota_${kind} PUBLIC
            $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    endforeach()
    set_target_properties(librota_shared PROPERTIES EXPORT_NAME rota)
    set_target_properties(librota_static PROPERTIES EXPORT_NAME rota_static)
    add_library(rota::rota ALIAS librota_shared)
    add_library(rota::rota_static ALIAS librota_static)

    rota_install()
endfunction()

# rota_linked_libs(ret): what librota itself is linked with, of ROTA_LIBS
function(rota_linked_libs ret)
    set(linked ${ROTA_LIBS})
    list(REMOVE_ITEM linked protobuf-c)
    if(NOT ROTA_LINK_OPENSSL)
        list(REMOVE_ITEM linked openssl) # loaded: src/net/openssl.h
    endif()
    set(${ret} ${linked} PARENT_SCOPE)
endfunction()

function(rota_install)
    set(package ${CMAKE_INSTALL_LIBDIR}/cmake/rota)
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/rota DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
    install(TARGETS librota_shared EXPORT rota)
    install(TARGETS librota_static EXPORT rota_static)

    # Two lists of targets: who links the shared library needs none of the static one's dependencies.
    install(EXPORT rota NAMESPACE rota:: FILE rotaTargets.cmake DESTINATION ${package})
    install(EXPORT rota_static NAMESPACE rota:: FILE rotaStaticTargets.cmake DESTINATION ${package})
    rota_linked_libs(private)
    set(ROTA_LIBS_LINKED protobuf-c ${private})
    configure_package_config_file(
        ${PROJECT_SOURCE_DIR}/cmake/rotaConfig.cmake.in ${PROJECT_BINARY_DIR}/rotaConfig.cmake INSTALL_DESTINATION ${package})
    write_basic_package_version_file(${PROJECT_BINARY_DIR}/rotaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
    install(FILES
        ${PROJECT_BINARY_DIR}/rotaConfig.cmake ${PROJECT_BINARY_DIR}/rotaConfigVersion.cmake
        ${PROJECT_SOURCE_DIR}/cmake/RotaDependencies.cmake ${PROJECT_SOURCE_DIR}/cmake/RotaGenerate.cmake
        DESTINATION ${package})

    list(TRANSFORM private REPLACE "(.+)" "rota_pc_\\1")
    set(requires "")
    foreach(name IN LISTS private)
        string(REPLACE ">=" " >= " requirement ${${name}})
        list(APPEND requires ${requirement})
    endforeach()
    list(JOIN requires ", " ROTA_REQUIRES_PRIVATE)
    string(REPLACE ">=" " >= " ROTA_REQUIRES "${rota_pc_protobuf-c}")
    # Relative, so that an installed tree may be moved and `cmake --install --prefix` need not configure again; unless the folder
    # for libraries is absolute.
    set(ROTA_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
    if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
        file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
        string(REGEX REPLACE "/$" "" ROTA_PC_PREFIX "\${pcfiledir}/${up}")
    endif()
    foreach(dir LIBDIR INCLUDEDIR BINDIR)
        set(ROTA_PC_${dir} "\${prefix}")
        cmake_path(APPEND ROTA_PC_${dir} ${CMAKE_INSTALL_${dir}}) # an absolute one stands alone
    endforeach()
    configure_file(${PROJECT_SOURCE_DIR}/cmake/rota.pc.in ${PROJECT_BINARY_DIR}/rota.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/rota.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
