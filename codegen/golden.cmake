# Runs protoc on golden/ and compares the services' files with those kept there; with UPDATE it keeps them instead.
#
# cmake -DPROTOC=... -DPLUGIN=... -DGOLDEN=folder -DOUT=folder [-DUPDATE=ON] -P golden.cmake
#
# protobuf-c's files are made too, since the compile test wants them, but they are not ours to keep.
file(GLOB_RECURSE protos RELATIVE ${GOLDEN} ${GOLDEN}/*.proto)
file(REMOVE_RECURSE ${OUT})
file(MAKE_DIRECTORY ${OUT})
execute_process(
    COMMAND ${PROTOC} -I. --plugin=protoc-gen-rota=${PLUGIN} --rota_out=${OUT} ${protos} google/protobuf/empty.proto
    WORKING_DIRECTORY ${GOLDEN}
    COMMAND_ERROR_IS_FATAL ANY)

set(wrong "")
foreach(proto IN LISTS protos)
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    foreach(ending IN ITEMS rota.h rota.c)
        set(file ${stem}.${ending})
        if(UPDATE)
            file(COPY_FILE ${OUT}/${file} ${GOLDEN}/${file})
            continue()
        endif()
        execute_process(COMMAND diff -u ${GOLDEN}/${file} ${OUT}/${file} RESULT_VARIABLE differs)
        if(NOT differs EQUAL 0)
            list(APPEND wrong ${file})
        endif()
    endforeach()
endforeach()
if(wrong)
    message(FATAL_ERROR "not as in codegen/golden: ${wrong}. If that is meant, `cmake --build build --target golden` keeps it.")
endif()
