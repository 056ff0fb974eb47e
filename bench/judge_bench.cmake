pkg_check_modules(HYPERSCAN REQUIRED IMPORTED_TARGET libhs)
target_link_libraries(judge_bench PRIVATE PkgConfig::HYPERSCAN)
