#pragma once
/*
 * Purpose: key segment <-> file name, reversibly: every key is listed and reachable, no name leaves the mount.
 *
 * The rule. A key is cut at '/' into segments. A segment is shown as it stands unless POSIX has no such name. A name is
 * escaped exactly when it begins with "%~":
 *   body      the segment's bytes, with %XX (upper-case hex) for '%', NUL, and every '.' of "." and ".."
 *   ""        an empty segment ("a//b") has an empty body: the name is just "%~"
 *   "%~..."   a segment that itself begins with "%~" is escaped too, so that names stay unambiguous
 *   ...%+     the segment goes on in the next component: a segment whose name would pass 255 bytes is shown as
 *             directories, each but the last holding as many bytes as fit in 255 (greedy, so there is one way only)
 *   ...%=     a file whose segment is also a directory ("x" beside "x/y"): the directory keeps the plain name
 * Only the canonical name of a segment is accepted; every other name beginning with "%~" is -EINVAL.
 * Control bytes and bytes that are no UTF-8 are legal in POSIX names and stay as they are.
 * Pure functions, no state.
 */
#include "backends/base/buf.h"

#define NAMING_MAX 255

enum naming_piece {
	NAMING_WHOLE,	  /* the (last piece of the) segment */
	NAMING_CONTINUED, /* more of the segment follows in the next component */
	NAMING_SHADOWED,  /* the whole (last piece of a) segment, of a file that is hidden by a directory */
};
/* Appends the name(s) of a segment (joined by '/'); piece is WHOLE or SHADOWED for the last one. */
int naming_encode(struct str segment, enum naming_piece piece, struct buf *ret) MUST_CHECK;
/* Cuts off the first name of a segment: appends it to ret, *ret_used = bytes of the segment it stands for,
 * *ret_piece = CONTINUED when there is more. */
int naming_encode_first(struct str segment, enum naming_piece last, struct buf *ret, size_t *ret_used,
			enum naming_piece *ret_piece) MUST_CHECK;
/* Appends the bytes a name stands for. -EINVAL: not canonical; -ENAMETOOLONG: over 255 bytes. */
int naming_decode(struct str name, struct buf *ret, enum naming_piece *ret_piece) MUST_CHECK;
/* Whether the bytes of a further name (rest, piece, from naming_decode) are what canonically follows the continued
 * names that stand for `before`, the part of the segment so far ("": always). -EINVAL: the same segment is written
 * otherwise, so this path does not exist. Needed because one name alone does not show it: "%~aaa...%+" then "b" would be
 * a second path to a segment that is short enough to be shown whole. */
int naming_check_rest(struct str before, struct str rest, enum naming_piece piece) MUST_CHECK;
/* Whether this is the name of a shadowed file (by its look: it need not be canonical). */
bool naming_is_shadowed(const char *name);
/* Whether the names of this segment are cut after so many bytes: what stands before is a continued piece, or several. */
bool naming_is_cut_at(struct str segment, enum naming_piece last, size_t bytes);
