#pragma once
/*
 * Purpose: the manual pages, made from the tables: skydir(1), and one for each command and resource.
 * Source: man(7) of groff 1.22.
 */
#include "backends/base/buf.h"

/* Appends a page: NULL for skydir(1), "mount", "instances". -EINVAL when there is no such command or resource. */
int man_page(const char *name, struct buf *out) MUST_CHECK;
/* Writes all of them into a directory that is there: skydir.1, skydir-mount.1, ... */
int man_write_all(const char *dir, struct error *err) MUST_CHECK;
