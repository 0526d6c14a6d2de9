#pragma once
/*
 * Purpose: where things stand on this machine: home, the XDG directories, and the private directory
 * of the control sockets.
 *
 * Invariants: a directory of sockets is used only when it is ours, is no symbolic link and nobody
 * else may enter it; so that a name in /tmp that somebody else took first is never trusted.
 * Ownership: strings are the caller's.
 */
#include "backends/base/error.h"

/* Sets HOME from the user database when it is missing (mount(8) at boot gives none). Call first in
 * main. */
void paths_fix_home(void);
/* $XDG_CONFIG_HOME/skydir/skydir.conf; NULL without memory. */
char *paths_config_file(void);
/* $XDG_DATA_HOME, resolved. */
char *paths_data_home(void);
/* Of what is kept beside the configuration and may be lost: XDG_STATE_HOME/skydir. */
char *paths_state_dir(void);
/* The path made absolute by the current directory, not resolved further. */
char *paths_absolute(const char *path);

enum paths_mode { PATHS_FIND, PATHS_MAKE };
#define PATHS_RUNTIME_DIRS 3
/*
 * The i-th place where sockets may be: $XDG_RUNTIME_DIR/skydir, /run/user/UID/skydir,
 * /tmp/skydir-UID; or, when SKYDIR_RUNTIME_DIR is set, that one alone. 0 with an open directory; a
 * negative return means: not there, or not to be trusted (err says why).
 */
int paths_runtime_open(unsigned i, enum paths_mode mode, int *ret_fd, char **ret_path,
		       struct error *err) MUST_CHECK;
/* The first place that can be used, made when missing. */
int paths_runtime_make(int *ret_fd, char **ret_path, struct error *err) MUST_CHECK;
