/* ipspd/fetch_cache.c - see fetch_cache.h. A file's name is the SHA-256 of its URL. */
#include "config.h"

#include "ipspd/fetch_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ike/credential.h"
#include "ipspd/log.h"

#define DIGEST 32u
#define NAME (2 * DIGEST + 1)
#define FILES_MAX 64u
#define COMING "coming"

int fetch_cache_open(int statedir_fd)
{
	int fd;

	if (mkdirat(statedir_fd, "crls", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(statedir_fd, "crls", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void name_of(const char *url, char out[NAME])
{
	uint8_t digest[DIGEST];

	gcry_md_hash_buffer(GCRY_MD_SHA256, digest, url, strlen(url));
	for (size_t i = 0; i < DIGEST; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

uint8_t *fetch_cache_get(int dir_fd, const char *url, size_t *len)
{
	char name[NAME];
	struct stat st;
	uint8_t *octets = NULL;
	size_t at = 0;
	int fd;

	name_of(url, name);
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= IKE_FETCH_MAX)
		octets = malloc((size_t)st.st_size);
	while (octets && at < (size_t)st.st_size) {
		const ssize_t n = read(fd, octets + at, (size_t)st.st_size - at);

		if (n <= 0) {
			free(octets);
			octets = NULL;
			break;
		}
		at += (size_t)n;
	}
	close(fd);
	*len = at;
	return octets;
}

uint8_t *fetch_cache_fresh(int dir_fd, const char *url, size_t *len)
{
	uint8_t *const octets = fetch_cache_get(dir_fd, url, len);

	if (octets && ike_crl_next_s((struct ipsp_span){ octets, *len }) > (int64_t)time(NULL))
		return octets;
	free(octets);
	return NULL;
}

/* The oldest one, when there are too many. */
static void make_room(int dir_fd)
{
	const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *const dir = fd < 0 ? NULL : fdopendir(fd);
	char oldest[NAME] = "";
	time_t when = 0;
	unsigned n = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (const struct dirent *d; (d = readdir(dir));) {
		struct stat st;

		if (strlen(d->d_name) != NAME - 1 ||
		    fstatat(dir_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (n++ == 0 || st.st_mtime < when) {
			when = st.st_mtime;
			memcpy(oldest, d->d_name, NAME);
		}
	}
	closedir(dir);
	if (n >= FILES_MAX)
		(void)unlinkat(dir_fd, oldest, 0);
}

static bool write_all(int fd, const uint8_t *octets, size_t len)
{
	size_t at = 0;

	while (at < len) {
		const ssize_t n = write(fd, octets + at, len - at);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return fsync(fd) == 0;
}

void fetch_cache_put(int dir_fd, const char *url, const uint8_t *octets, size_t len)
{
	char name[NAME];
	int fd;

	make_room(dir_fd);
	name_of(url, name);
	/* Under another name, so that a crash leaves the old one or the new one. */
	(void)unlinkat(dir_fd, COMING, 0);
	fd = openat(dir_fd, COMING, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !write_all(fd, octets, len) || renameat(dir_fd, COMING, dir_fd, name) < 0)
		ipspd_log(LOG_WARNING, "fetch", "a CRL cannot be kept: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}
