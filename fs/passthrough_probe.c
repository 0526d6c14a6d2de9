#include "fs/fs.h"
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAGIC_BCACHEFS 0xca451a4e

const char *fs_passthrough_obstacle(int cache_fd)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	struct statfs s;

	if (syscall(SYS_capget, &header, data) < 0 || !(data[0].effective & (1u << CAP_SYS_ADMIN)))
		return "it needs CAP_SYS_ADMIN";
	if (fstatfs(cache_fd, &s) < 0)
		return "the cache directory's file system cannot be told";
	switch ((uint32_t)s.f_type) { /* those known to stamp what is written through mapped memory */
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case MAGIC_BCACHEFS:
		return NULL;
	default:
		return "the cache directory is on a file system it is not used with (ext4, xfs, btrfs, f2fs, bcachefs are fine)";
	}
}
