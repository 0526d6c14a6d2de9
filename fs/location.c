#include "fs/tree.h"
#include "fs/naming.h"

/*
 * Keys are put together from the top: every directory adds its segment and '/', a continuation (NODE_CONT) its piece
 * without one. Where a remote key is asked for, the nearest node upwards that carries one begins it.
 */
enum key_kind { KEY_OF_PATH, KEY_REMOTE };

void location_release(struct location *l)
{
	free(l->bucket);
	free(l->key);
	*l = LOCATION_INIT;
}

enum segment_kind { SEGMENT_FILE, SEGMENT_DIR, SEGMENT_CONT };

/* What the key holds of a segment that is not at its end yet. */
static struct str segment_so_far(const struct buf *key)
{
	const char *slash = key->len ? memrchr(key->data, '/', key->len) : NULL;
	size_t start = slash ? (size_t)(slash - key->data) + 1 : 0;

	return (struct str){ buf_cstr(key) + start, key->len - start };
}

/* -EINVAL: no segment of that kind is written like this, here. */
static int add_segment(struct buf *key, const char *name, enum segment_kind kind)
{
	CLEANUP(buf_release) struct buf rest = BUF_INIT(NAMING_MAX);
	enum naming_piece piece;
	int r = naming_decode(str_of(name), &rest, &piece);

	if (r == 0)
		r = naming_check_rest(segment_so_far(key), buf_str(&rest), piece);
	if (r == 0 && ((piece == NAMING_CONTINUED) != (kind == SEGMENT_CONT) ||
		       (piece == NAMING_SHADOWED && kind != SEGMENT_FILE)))
		r = -EINVAL;
	if (r == 0)
		r = buf_add_str(key, buf_str(&rest));
	return r == 0 && kind == SEGMENT_DIR ? buf_addc(key, '/') : r;
}

static int add_key(const struct node *n, enum key_kind kind, struct buf *key, struct location *ret)
{
	int r;

	if (n->is_detached && !(kind == KEY_REMOTE && rare_of(n)->remote_key))
		return -ESTALE;
	if (n->type == NODE_ROOT)
		return 0;
	if (n->type == NODE_STORE) {
		ret->store = dir_of(n)->store;
		return 0;
	}
	if (kind == KEY_REMOTE && rare_of(n)->remote_key) {
		const struct node *up = n;

		if (n->rare->remote_bucket)
			ret->bucket = strdup(n->rare->remote_bucket);
		while (up && up->type != NODE_STORE && (up->type != NODE_BUCKET || ret->bucket))
			up = up->parent;
		if (up && up->type == NODE_BUCKET) {
			ret->bucket = strdup(up->name);
			up = up->parent;
		}
		if (!up || !ret->bucket)
			return ret->bucket ? -ESTALE : -ENOMEM;
		ret->store = dir_of(up)->store;
		return buf_adds(key, n->rare->remote_key);
	}
	if (!n->parent)
		return -ESTALE;
	r = add_key(n->parent, kind, key, ret);
	if (r < 0)
		return r;
	if (n->type == NODE_BUCKET) {
		ret->bucket = strdup(n->name);
		return ret->bucket ? 0 : -ENOMEM;
	}
	return add_segment(key, n->name,
			   n->type == NODE_DIR	  ? SEGMENT_DIR
			   : n->type == NODE_CONT ? SEGMENT_CONT
						  : SEGMENT_FILE);
}

static int finish(int r, struct buf *key, struct location *ret)
{
	if (r == 0) {
		ret->key = key->data ? buf_detach(key) : strdup("");
		r = ret->key ? 0 : -ENOMEM;
	}
	buf_release(key);
	if (r < 0)
		location_release(ret);
	return r == -EFBIG ? -ENAMETOOLONG : r;
}

static int node_key(const struct node *n, enum key_kind kind, struct location *ret)
{
	struct buf key = BUF_INIT(STORE_KEY_MAX);
	int r;

	*ret = LOCATION_INIT;
	r = add_key(n, kind, &key, ret);
	return finish(r, &key, ret);
}

static int child_key(const struct node *parent, const char *name, enum segment_kind segment, enum key_kind kind,
		     struct location *ret)
{
	struct buf key = BUF_INIT(STORE_KEY_MAX);
	int r;

	*ret = LOCATION_INIT;
	r = add_key(parent, kind, &key, ret);
	if (r == 0 && parent->type == NODE_STORE) {
		ret->bucket = strdup(name);
		r = ret->bucket ? 0 : -ENOMEM;
	} else if (r == 0) {
		r = add_segment(&key, name, segment);
	}
	return finish(r, &key, ret);
}

int tree_path_key(const struct node *n, struct location *ret)
{
	return node_key(n, KEY_OF_PATH, ret);
}

int tree_remote_key(const struct node *n, struct location *ret)
{
	return node_key(n, KEY_REMOTE, ret);
}

int tree_set_remote(struct node *n, const struct location *where, uint64_t seq)
{
	char *bucket = strdup(where->bucket), *key = strdup(where->key);

	if (!bucket || !key || !rare_make(n)) {
		free(bucket);
		free(key);
		return -ENOMEM;
	}
	free(n->rare->remote_key);
	free(n->rare->remote_bucket);
	n->rare->remote_bucket = bucket;
	n->rare->remote_key = key;
	n->rare->remote_seq = seq;
	return 0;
}

void tree_clear_remote(struct node *n)
{
	if (!n->rare)
		return;
	free(steal(n->rare->remote_key));
	free(steal(n->rare->remote_bucket));
	n->rare->remote_seq = 0;
	rare_tidy(n);
}

uint64_t tree_remote_seq(const struct node *n)
{
	while (n && !rare_of(n)->remote_key)
		n = n->parent;
	return n ? n->rare->remote_seq : 0;
}

void tree_note_moved(struct tree *t, struct node *n)
{
	while (n && !rare_make(n))
		n = n->parent;
	t->changes++;
	if (n)
		n->rare->moved = t->changes;
}

bool tree_moved_since(const struct node *n, uint64_t began)
{
	while (n && rare_of(n)->moved <= began)
		n = n->parent;
	return n != NULL;
}

int tree_child_key(const struct node *parent, const char *name, bool is_dir, struct location *ret)
{
	return child_key(parent, name, is_dir ? SEGMENT_DIR : SEGMENT_FILE, KEY_OF_PATH, ret);
}

int tree_child_remote_key(const struct node *parent, const char *name, bool is_dir, struct location *ret)
{
	return child_key(parent, name, is_dir ? SEGMENT_DIR : SEGMENT_FILE, KEY_REMOTE, ret);
}

int tree_continued_remote_key(const struct node *parent, const char *name, struct location *ret)
{
	if (parent->type <= NODE_STORE)
		return -EINVAL;
	return child_key(parent, name, SEGMENT_CONT, KEY_REMOTE, ret);
}

static int add_path(const struct tree *t, const struct node *n, struct buf *path)
{
	int r;

	if (n == t->mount_root || !n->parent)
		return 0;
	r = add_path(t, n->parent, path);
	if (r < 0)
		return r;
	return buf_addf(path, "/%s", n->name);
}

char *tree_path(const struct tree *t, const struct node *n)
{
	struct buf path = BUF_INIT(65536);

	if (n->is_detached)
		return strdup("(deleted)");
	if (add_path(t, n, &path) < 0) {
		buf_release(&path);
		return NULL;
	}
	return path.data ? buf_detach(&path) : strdup("/");
}

struct node *tree_bucket_of(struct node *n)
{
	while (n && n->type != NODE_BUCKET)
		n = n->parent;
	return n;
}

bool tree_is_below(const struct node *n, const struct node *ancestor)
{
	while (n && n != ancestor)
		n = n->parent;
	return n != NULL;
}
