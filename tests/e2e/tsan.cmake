# Configures and builds chatgated with the thread sanitizer in BUILD.
execute_process(COMMAND ${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${BUILD} -DCHATGATE_TSAN=ON -DCMAKE_BUILD_TYPE=Debug
                RESULT_VARIABLE failed)
if(NOT failed)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} --target chatgated RESULT_VARIABLE failed)
endif()
if(failed)
  message(FATAL_ERROR "the thread sanitizer's build in ${BUILD} failed")
endif()
