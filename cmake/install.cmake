# What `cmake --install` puts where, and how other projects find it.
include(CMakePackageConfigHelpers)

install(TARGETS emgtwin RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS emgtwin_shared emgtwin_static EXPORT emgtwinTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/emgtwin DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES docs/emgtwin.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(DIRECTORY configs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/emgtwin/configs)
install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# CMake: find_package(emgtwin), targets emgtwin::emgtwin and emgtwin::static
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/emgtwin)
configure_package_config_file(cmake/emgtwinConfig.cmake.in ${CMAKE_BINARY_DIR}/emgtwinConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/emgtwinConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(EXPORT emgtwinTargets NAMESPACE emgtwin:: DESTINATION ${package_dir})
install(FILES ${CMAKE_BINARY_DIR}/emgtwinConfig.cmake
              ${CMAKE_BINARY_DIR}/emgtwinConfigVersion.cmake DESTINATION ${package_dir})

# pkg-config: relative to the .pc file, so that the installed tree can be moved
file(RELATIVE_PATH prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/emgtwin.pc.in ${CMAKE_BINARY_DIR}/emgtwin.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/emgtwin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
