pkg_check_modules(TEST_TEXT REQUIRED IMPORTED_TARGET libutf8proc opencc icu-uc)
target_link_libraries(test_text_table PRIVATE PkgConfig::TEST_TEXT)
