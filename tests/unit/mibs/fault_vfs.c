/*
 * fault_vfs.c - failures at each step of SQLite's file access, see fault_vfs.h. It stands before
 * the default layer and keeps what unsynced writes have overwritten, to be able to lose them.
 */
#include "config.h"

#include "fault_vfs.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real;	/* in the same allocation, behind this */
};

/** What one unsynced write or truncation has taken away. */
struct fault_undo {
	struct fault_undo *older;
	struct fault_file *file;
	sqlite3_int64 offset;
	sqlite3_int64 old_size;
	int len;
	unsigned char old[];
};

static sqlite3_vfs *fault_real;
static sqlite3_vfs fault_vfs;
static sqlite3_io_methods fault_methods;
static enum fault fault_armed;
static unsigned int fault_countdown;
static bool fault_done;
static struct fault_undo *fault_unsynced;

static sqlite3_file *fault_real_file(sqlite3_file *f)
{
	return ((struct fault_file *)f)->real;
}

static void fault_die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void fault_lose(bool every_other)
{
	unsigned int n = 0;

	for (struct fault_undo *u = fault_unsynced; u; u = u->older, n++) {
		sqlite3_file *real = u->file->real;

		if (every_other && n % 2)
			continue;
		if (u->len)
			real->pMethods->xWrite(real, u->old, u->len, u->offset);
		if (!every_other)
			real->pMethods->xTruncate(real, u->old_size);
	}
}

void fault_power_cut(void)
{
	fault_lose(false);
	fault_die();
	__builtin_unreachable();
}

void fault_arm(enum fault fault, unsigned int nth)
{
	fault_armed = fault;
	fault_countdown = nth;
	fault_done = false;
}

bool fault_happened(void)
{
	return fault_done;
}

/** One step: is it the one? Faults of the process happen in here, but for FAULT_KILL. */
static bool fault_step(void)
{
	if (fault_armed == FAULT_NONE || fault_countdown == 0)
		return false;
	if (fault_countdown > 1) {
		fault_countdown--;
		return false;
	}
	fault_done = true;
	if (fault_armed != FAULT_IO_FROM)
		fault_countdown = 0;
	if (fault_armed == FAULT_POWER || fault_armed == FAULT_POWER_SOME) {
		fault_lose(fault_armed == FAULT_POWER_SOME);
		fault_die();
	}
	return true;
}

static int fault_code(int io_code)
{
	return fault_armed == FAULT_FULL ? SQLITE_FULL : io_code;
}

static void fault_remember(sqlite3_file *f, sqlite3_int64 offset, int len)
{
	sqlite3_file *real = fault_real_file(f);
	struct fault_undo *u = calloc(1, sizeof(*u) + (size_t)len);

	if (!u)
		abort();
	u->file = (struct fault_file *)f;
	u->offset = offset;
	real->pMethods->xFileSize(real, &u->old_size);
	/* A short read fills with zeroes, which is what is there. */
	if (len)
		real->pMethods->xRead(real, u->old, len, offset);
	u->len = len;
	u->older = fault_unsynced;
	fault_unsynced = u;
}

static void fault_forget(sqlite3_file *f)
{
	for (struct fault_undo **at = &fault_unsynced; *at;) {
		struct fault_undo *u = *at;

		if (u->file != (struct fault_file *)f) {
			at = &u->older;
			continue;
		}
		*at = u->older;
		free(u);
	}
}

static int fault_close(sqlite3_file *f)
{
	sqlite3_file *real = fault_real_file(f);

	fault_forget(f);
	return real->pMethods->xClose(real);
}

static int fault_read(sqlite3_file *f, void *data, int len, sqlite3_int64 offset)
{
	sqlite3_file *real = fault_real_file(f);

	return real->pMethods->xRead(real, data, len, offset);
}

static int fault_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 offset)
{
	sqlite3_file *real = fault_real_file(f);

	if (fault_step()) {
		if (fault_armed != FAULT_KILL)
			return fault_code(SQLITE_IOERR_WRITE);
		real->pMethods->xWrite(real, data, len / 2, offset);
		fault_die();
	}
	fault_remember(f, offset, len);
	return real->pMethods->xWrite(real, data, len, offset);
}

static int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	sqlite3_file *real = fault_real_file(f);
	sqlite3_int64 now;

	if (fault_step()) {
		if (fault_armed != FAULT_KILL)
			return fault_code(SQLITE_IOERR_TRUNCATE);
		fault_die();
	}
	real->pMethods->xFileSize(real, &now);
	fault_remember(f, size, now > size ? (int)(now - size) : 0);
	return real->pMethods->xTruncate(real, size);
}

static int fault_sync(sqlite3_file *f, int flags)
{
	sqlite3_file *real = fault_real_file(f);

	if (fault_step()) {
		if (fault_armed != FAULT_KILL)
			return fault_code(SQLITE_IOERR_FSYNC);
		fault_die();
	}
	fault_forget(f);
	return real->pMethods->xSync(real, flags);
}

static int fault_file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	sqlite3_file *real = fault_real_file(f);

	return real->pMethods->xFileSize(real, size);
}

static int fault_lock(sqlite3_file *f, int level)
{
	sqlite3_file *real = fault_real_file(f);

	return real->pMethods->xLock(real, level);
}

static int fault_unlock(sqlite3_file *f, int level)
{
	sqlite3_file *real = fault_real_file(f);

	return real->pMethods->xUnlock(real, level);
}

static int fault_check_lock(sqlite3_file *f, int *out)
{
	sqlite3_file *real = fault_real_file(f);

	return real->pMethods->xCheckReservedLock(real, out);
}

static int fault_control(sqlite3_file *f, int op, void *arg)
{
	sqlite3_file *real = fault_real_file(f);

	return real->pMethods->xFileControl(real, op, arg);
}

static int fault_sector_size(sqlite3_file *f)
{
	sqlite3_file *real = fault_real_file(f);

	return real->pMethods->xSectorSize(real);
}

static int fault_characteristics(sqlite3_file *f)
{
	sqlite3_file *real = fault_real_file(f);

	return real->pMethods->xDeviceCharacteristics(real);
}

/* Version 1: without shared memory, as our exclusive locking mode needs none. */
static sqlite3_io_methods fault_methods = {
	.iVersion = 1,
	.xClose = fault_close,
	.xRead = fault_read,
	.xWrite = fault_write,
	.xTruncate = fault_truncate,
	.xSync = fault_sync,
	.xFileSize = fault_file_size,
	.xLock = fault_lock,
	.xUnlock = fault_unlock,
	.xCheckReservedLock = fault_check_lock,
	.xFileControl = fault_control,
	.xSectorSize = fault_sector_size,
	.xDeviceCharacteristics = fault_characteristics,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct fault_file *file = (struct fault_file *)f;
	int rc;

	(void)vfs;
	file->real = (sqlite3_file *)(file + 1);
	rc = fault_real->xOpen(fault_real, name, file->real, flags, out);
	f->pMethods = file->real->pMethods ? &fault_methods : NULL;
	return rc;
}

void fault_vfs_install(void)
{
	fault_real = sqlite3_vfs_find(NULL);
	fault_vfs = *fault_real;
	fault_vfs.zName = "fault";
	fault_vfs.szOsFile += (int)sizeof(struct fault_file);
	fault_vfs.xOpen = fault_open;
	sqlite3_vfs_register(&fault_vfs, 1);
}
