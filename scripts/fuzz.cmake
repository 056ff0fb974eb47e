# For scripts/fuzz.sh: libFuzzer's main instead of the one in tests/fuzz/main.c.
function(use_libfuzzer)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/tests/fuzz/main.c DIRECTORY tests/fuzz PROPERTIES COMPILE_DEFINITIONS main=replay_main)
  get_property(targets DIRECTORY tests/fuzz PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  endforeach()
endfunction()
cmake_language(DEFER CALL use_libfuzzer)
