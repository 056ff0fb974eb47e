pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
target_link_libraries(test_proto_json PRIVATE PkgConfig::JANSSON)
