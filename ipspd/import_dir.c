/* ipspd/import_dir.c - see import_dir.h. */
#include "config.h"

#include "ipspd/import_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xml/xml.h"

static const char name_octets[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

bool import_dir_is_name(const uint8_t *name, size_t len)
{
	if (len == 0 || len >= IMPORT_DIR_NAME_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] == '\0' || !strchr(name_octets, name[i]))
			return false;
	return true;
}

static int open_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int import_dir_open(const char *dir, const char *name)
{
	int dir_fd = open_dir(dir), fd;
	struct stat st;

	if (dir_fd < 0)
		return dir_fd;
	/* A FIFO without a writer must not hold us up; it is refused below. */
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	close(dir_fd);
	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	return -EINVAL;
}

static enum mib_err fail(struct mib_diag *d, const char *name, int error)
{
	mib_diag_set(d, NULL, NULL, 0, "%s in the import directory: %s", name, strerror(error));
	return MIB_COMMIT_FAILED;
}

/* Made under another name, so that a crash leaves the old file or the new one. */
static enum mib_err write_file(int dir_fd, const char *name, struct mib_store *s,
			       struct mib_diag *d)
{
	char coming[IMPORT_DIR_NAME_MAX + 8];
	enum mib_err err;
	int fd;

	snprintf(coming, sizeof(coming), ".%s.new", name);
	if (unlinkat(dir_fd, coming, 0) < 0 && errno != ENOENT)
		return fail(d, coming, errno);
	fd = openat(dir_fd, coming, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(d, coming, errno);
	err = xml_export(s, fd, NULL, d);
	if (err == MIB_OK && fsync(fd) < 0)
		err = fail(d, coming, errno);
	close(fd);
	if (err == MIB_OK && renameat(dir_fd, coming, dir_fd, name) < 0)
		err = fail(d, name, errno);
	if (err != MIB_OK) {
		(void)unlinkat(dir_fd, coming, 0);
		return err;
	}
	return fsync(dir_fd) < 0 ? fail(d, name, errno) : MIB_OK;
}

enum mib_err import_dir_export(const char *dir, const char *name, struct mib_store *s,
			       struct mib_diag *d)
{
	int dir_fd = open_dir(dir);
	enum mib_err err;

	if (dir_fd < 0)
		return fail(d, dir, -dir_fd);
	err = write_file(dir_fd, name, s, d);
	close(dir_fd);
	return err;
}
