/*
 * ipspd/guard_file.c - the guard on disk, so that it stands before the network does.
 *
 *   "IPSPGRD3", then records: type (16 bits), length (32 bits), payload - those of ipspd/messages.h:
 *   GUARD_LAYER, its GEN_LIST, GEN_ENTRY, GEN_PREDICATE, GEN_SELECTORS .., next layer, and at the end
 *   GUARD_COMMIT with the number of layers.
 *
 * Written anew each time, beside the old file, which it replaces when it is safe on disk. Holds no
 * keys: layers have no SAs.
 */
#include "config.h"

#include "ipspd/guard_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chan/chan.h"
#include "ipspd/messages.h"

#define FILE_NAME "saved"
#define NEW_NAME "saved.new"
#define MAGIC "IPSPGRD3"
#define MAGIC_LEN 8
#define RECORD_HEADER 6

/* ---- writing ---- */

static int put_record(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	FILE *f = (FILE *)arg;
	uint8_t header[RECORD_HEADER];
	struct chan_writer w = { .data = header, .size = sizeof(header) };

	chan_put_u16(&w, type);
	chan_put_u32(&w, (uint32_t)len);
	if (fwrite(header, 1, sizeof(header), f) != sizeof(header) ||
	    fwrite(data, 1, len, f) != len)
		return -EIO;
	return 0;
}

static int put_all(FILE *f, const struct guard_layer *layers, size_t n)
{
	uint8_t buf[8];
	struct chan_writer end = { .data = buf, .size = sizeof(buf) };
	int rc = fwrite(MAGIC, 1, MAGIC_LEN, f) == MAGIC_LEN ? 0 : -EIO;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct chan_writer w = { .data = buf, .size = sizeof(buf) };

		chan_put_u64(&w, layers[i].generation);
		rc = put_record(f, MSG_GUARD_LAYER, buf, w.len);
		if (rc == 0)
			rc = wire_put_lists(layers[i].gen->lists, layers[i].gen->n_lists,
					    put_record, f);
	}
	if (rc < 0)
		return rc;
	chan_put_u32(&end, (uint32_t)n);
	return put_record(f, MSG_GUARD_COMMIT, buf, end.len);
}

int guard_file_save(int dir_fd, const struct guard_layer *layers, size_t n)
{
	int fd = openat(dir_fd, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0600);

	if (fd < 0)
		return -errno;
	FILE *f = fdopen(fd, "w");
	if (!f) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	int rc = put_all(f, layers, n);
	if (rc == 0 && (fflush(f) != 0 || fsync(fd) < 0))
		rc = -errno;
	if (fclose(f) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(dir_fd, NEW_NAME, dir_fd, FILE_NAME) < 0)
		rc = -errno;
	if (rc == 0 && fsync(dir_fd) < 0)
		rc = -errno;
	return rc;
}

int guard_file_remove(int dir_fd)
{
	if (unlinkat(dir_fd, FILE_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	if (unlinkat(dir_fd, NEW_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

/* ---- reading ---- */

struct loading {
	struct guard_layer *layers;
	size_t n;
	struct wire_builder *builder;	/* of layer n - 1 */
	bool ended;
};

static int end_layer(struct loading *l)
{
	if (!l->builder)
		return 0;
	int rc = wire_builder_finish_lists(l->builder, &l->layers[l->n - 1].gen);
	l->builder = NULL;
	return rc == -EINVAL ? -EBADMSG : rc;
}

static int begin_layer(struct loading *l, struct chan_reader *r)
{
	int rc = end_layer(l);

	if (rc < 0)
		return rc;
	uint64_t generation = chan_get_u64(r);
	if (!chan_reader_done(r) || l->n == GUARD_LAYERS_MAX)
		return -EBADMSG;
	l->builder = wire_builder_new(generation);
	if (!l->builder)
		return -ENOMEM;
	l->layers[l->n++] = (struct guard_layer){ .serial = 0, .generation = generation };
	return 0;
}

static int take_record(struct loading *l, uint16_t type, const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };

	if (l->ended)
		return -EBADMSG;
	if (type == MSG_GUARD_LAYER)
		return begin_layer(l, &r);
	if (type == MSG_GUARD_COMMIT) {
		int rc = end_layer(l);

		if (rc < 0)
			return rc;
		l->ended = true;
		uint32_t n = chan_get_u32(&r);
		return chan_reader_done(&r) && n == l->n ? 0 : -EBADMSG;
	}
	if (!l->builder)
		return -EBADMSG;
	int rc = wire_builder_add(l->builder, type, data, len);
	return rc == -EINVAL || rc == -E2BIG ? -EBADMSG : rc;
}

static int take_all(FILE *f, struct loading *l, uint8_t *buf)
{
	uint8_t header[RECORD_HEADER];
	size_t got;

	if (fread(buf, 1, MAGIC_LEN, f) != MAGIC_LEN || memcmp(buf, MAGIC, MAGIC_LEN) != 0)
		return -EBADMSG;
	while ((got = fread(header, 1, sizeof(header), f)) == sizeof(header)) {
		struct chan_reader r = { .data = header, .len = sizeof(header) };
		uint16_t type = chan_get_u16(&r);
		uint32_t len = chan_get_u32(&r);

		if (len > CHAN_PAYLOAD_MAX || fread(buf, 1, len, f) != len)
			return -EBADMSG;
		int rc = take_record(l, type, buf, len);
		if (rc < 0)
			return rc;
	}
	return got == 0 && l->ended ? 0 : -EBADMSG;
}

int guard_file_load(int dir_fd, struct guard_layer layers[GUARD_LAYERS_MAX], size_t *n)
{
	struct loading l = { .layers = layers };
	int fd = openat(dir_fd, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	FILE *f = fdopen(fd, "r");
	uint8_t *buf = (uint8_t *)malloc(CHAN_PAYLOAD_MAX);
	int rc = f && buf ? take_all(f, &l, buf) : -ENOMEM;

	free(buf);
	if (f)
		fclose(f);
	else
		close(fd);
	wire_builder_free(l.builder);
	if (rc < 0) {
		for (size_t i = 0; i < l.n; i++)
			wire_gen_free(layers[i].gen);
		return rc;
	}
	*n = l.n;
	return 0;
}
