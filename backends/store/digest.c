/* Checksums of what a provider sends and receives, wherever the caller keeps it. */
#include "backends/store/store.h"

static int digest_of(int fd, uint64_t offset, uint64_t length, struct str mem, enum hash_kind kind,
		     unsigned char ret[32], struct error *err)
{
	CLEANUP(hash_stream_freep) struct hash_stream *hash = NULL;
	int r;

	if (fd >= 0) {
		r = hash_fd(kind, fd, offset, length, ret);
		return r < 0 ? error_errno(err, -r, "bytes cannot be read back") : r;
	}
	hash = hash_stream_new(kind);
	if (!hash)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	hash_stream_add(hash, mem.ptr, mem.len);
	return (int)hash_stream_digest(hash, ret);
}

int store_sink_digest(const struct store_sink *sink, uint64_t length, enum hash_kind kind,
		      unsigned char ret[32], struct error *err)
{
	return digest_of(sink->fd, sink->fd_offset, length,
			 sink->buf ? buf_str(sink->buf) : (struct str){ 0 }, kind, ret, err);
}

int store_source_digest(const struct store_source *source, enum hash_kind kind,
			unsigned char ret[32], struct error *err)
{
	return digest_of(source->fd, source->offset, source->length, source->mem, kind, ret, err);
}
