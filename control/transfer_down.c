/*
 * Downloads: ranges side by side into a file beside the target, which gets its name when all of it is there.
 *
 * The note beside it, NAME of the part file and ".json": {"version", "size", "part_bytes", "done": [numbers]}.
 */
#include "control/transfer_private.h"

#include "backends/base/fileio.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define NOTE_MAX ((size_t)4 << 20)

static int name_parts(struct transfer_job *j, struct error *err)
{
	const char *slash = strrchr(j->item->file, '/');
	int dir = slash ? (int)(slash - j->item->file) + 1 : 0;

	j->part_path = str_format("%.*s.%s.skydir-part", dir, j->item->file, j->item->file + dir);
	j->note_path = j->part_path ? str_format("%s.json", j->part_path) : NULL;
	return j->note_path ? 0 : error_no_memory(err);
}

static bool take_up(struct transfer_job *j)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(NOTE_MAX);
	CLEANUP(json_putp) struct json_object *note = NULL;
	struct error ignored = ERROR_INIT; /* then it begins anew */
	struct json_object *done;
	const char *version;
	struct stat st;

	if (!*j->item->version || fstat(j->fd, &st) < 0 || (uint64_t)st.st_size != j->item->size ||
	    fileio_read_file(j->note_path, &text, &ignored) < 0 ||
	    json_parse(buf_str(&text), NOTE_MAX, &note, &ignored) < 0)
		return false;
	version = json_get_string(note, "version");
	done = json_get_array(note, "done");
	if (!version || strcmp(version, j->item->version) != 0 || !done ||
	    json_get_int64(note, "size", -1) != (int64_t)j->item->size ||
	    json_get_int64(note, "part_bytes", 0) != (int64_t)j->part_bytes)
		return false;
	for (size_t i = 0; i < json_object_array_length(done); i++) {
		int64_t number = json_object_get_int64(json_object_array_get_idx(done, i));

		if (number < 1 || number > j->parts || j->is_done[number - 1])
			continue;
		j->is_done[number - 1] = 1;
		j->item->resumed_bytes += transfer_part_length(j, (unsigned)number);
	}
	return true;
}

int transfer_down_begin(struct transfer *t, struct transfer_job *j, struct error *err)
{
	int r = name_parts(j, err);

	(void)t;
	if (r < 0)
		return r;
	j->fd = open(j->part_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (j->fd < 0)
		return error_errno(err, errno, "cannot write '%.150s'", j->part_path);
	if (take_up(j))
		return 0;
	if (ftruncate(j->fd, 0) < 0 || ftruncate(j->fd, (off_t)j->item->size) < 0)
		return error_errno(err, errno, "cannot write '%.150s'", j->part_path);
	return 0;
}

int transfer_down_part(struct transfer *t, struct transfer_job *j, unsigned number, struct error *err)
{
	uint64_t from = (uint64_t)(number - 1) * j->part_bytes;
	struct store_sink sink = STORE_SINK_INIT;
	struct store_get_args args = { .offset = from,
				       .length = j->parts > 1 ? transfer_part_length(j, number) : 0,
				       .if_version = j->item->version,
				       .version_id = t->version_id,
				       .cancel = t->call->cancel };
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object got = { .size = 0 };
	int r;

	if (!j->item->size)
		return 0;
	sink.fd = j->fd;
	sink.fd_offset = from;
	r = store_get(t->store, t->bucket, j->item->key, &args, &sink, &arena, &got, err);
	if (r == 0 && got.size != j->item->size)
		return error_set(err, ERR_PRECONDITION, "'%.150s' was changed while it was downloaded", j->item->key);
	return r;
}

int transfer_down_note(struct transfer_job *j, const unsigned char *is_done, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *done = json_object_new_array();

	if (!o || !done || json_object_object_add(o, "done", done) != 0) {
		json_object_put(done);
		return error_no_memory(err);
	}
	if (fdatasync(j->fd) < 0) /* the note must not know more than the disk */
		return error_errno(err, errno, "cannot write '%.150s'", j->part_path);
	for (unsigned i = 0; i < j->parts; i++)
		if (is_done[i])
			json_object_array_add(done, json_object_new_int64((int64_t)i + 1));
	json_object_object_add(o, "version", json_object_new_string(j->item->version));
	json_object_object_add(o, "size", json_object_new_uint64(j->item->size));
	json_object_object_add(o, "part_bytes", json_object_new_uint64(j->part_bytes));
	return fileio_replace_file(j->note_path, str_of(json_object_to_json_string(o)), 0600, err);
}

int transfer_down_end(struct transfer *t, struct transfer_job *j, struct error *err)
{
	(void)t;
	if (fsync(j->fd) < 0 || rename(j->part_path, j->item->file) < 0)
		return error_errno(err, errno, "cannot write '%.150s'", j->item->file);
	(void)unlink(j->note_path); /* none for a file of one part */
	return 0;
}
