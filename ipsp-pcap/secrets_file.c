/*
 * ipsp-pcap/secrets_file.c - secrets files, read into locked memory without a stop in between: no
 * buffer of the C library ever holds a key.
 */
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipsp-pcap/secrets.h"

/* Octets read; -1: errno says why; above PC_FILE_MAX: there is more. */
static ssize_t read_all(int fd, char *buf)
{
	size_t len = 0;

	while (len <= PC_FILE_MAX) {
		ssize_t n = read(fd, buf + len, PC_FILE_MAX + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

bool pc_secrets_read(const char *name, char *buf, uint32_t *n_readable, size_t *len,
		     struct pc_diag *d)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		pc_diag_set(d, "%s: %s", name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
		(*n_readable)++;
	n = read_all(fd, buf);
	if (n < 0)
		pc_diag_set(d, "%s: %s", name, strerror(errno));
	else if (n > (ssize_t)PC_FILE_MAX)
		pc_diag_set(d, "%s: larger than 256 KiB", name);
	close(fd);
	if (n < 0 || n > (ssize_t)PC_FILE_MAX)
		return false;
	*len = (size_t)n;
	buf[n] = '\0';
	return true;
}

bool pc_secrets_load(const char *name, bool allow_weak, struct pc_secrets *out, struct pc_diag *d)
{
	char *buf = gcry_malloc_secure(PC_FILE_MAX + 2);
	bool good = buf != NULL;
	size_t len;

	memset(out, 0, sizeof(*out));
	out->files[0] = strdup(name);
	if (!buf || !out->files[0]) {
		pc_diag_set(d, "%s: no locked memory is left", name);
		good = false;
	} else {
		out->n_files = 1;
	}
	for (uint32_t i = 0; good && i < out->n_files; i++)
		good = pc_secrets_read(out->files[i], buf, &out->n_readable, &len, d) &&
		       pc_secrets_parse(buf, len, i, allow_weak, out, d);
	gcry_free(buf);
	if (!good)
		pc_secrets_fini(out);
	return good;
}
