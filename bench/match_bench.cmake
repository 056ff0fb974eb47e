pkg_check_modules(HYPERSCAN REQUIRED IMPORTED_TARGET libhs)
target_link_libraries(match_bench PRIVATE PkgConfig::HYPERSCAN)
