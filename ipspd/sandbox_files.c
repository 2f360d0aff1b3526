/*
 * ipspd/sandbox_files.c - the import process and the file system: Linux's Landlock.
 *
 * The process is the same user as the agent, whose database and key it must not reach, so file
 * permissions are not enough. Rules name the few files that the C library and GnuTLS read to resolve
 * a name and to check a certificate; nothing can be written. Landlock knows no call to be forbidden,
 * it needs no privilege, and it cannot be taken back.
 */
#include "config.h"

#include "ipspd/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The rights of Landlock's first version, which every kernel that has it knows. */
#define ALL_RIGHTS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
		    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
		    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
		    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
		    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
		    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
		    LANDLOCK_ACCESS_FS_MAKE_SYM)

static const struct {
	const char *path;
	uint64_t rights;
} readable[] = {
	/* names */
	{ "/etc/resolv.conf", LANDLOCK_ACCESS_FS_READ_FILE },
	{ "/etc/hosts", LANDLOCK_ACCESS_FS_READ_FILE },
	{ "/etc/host.conf", LANDLOCK_ACCESS_FS_READ_FILE },
	{ "/etc/nsswitch.conf", LANDLOCK_ACCESS_FS_READ_FILE },
	{ "/etc/gai.conf", LANDLOCK_ACCESS_FS_READ_FILE },
	{ "/etc/services", LANDLOCK_ACCESS_FS_READ_FILE },
	/* certificates */
	{ "/etc/ssl/certs", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR },
	{ "/usr/share/ca-certificates", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR },
	{ "/usr/local/share/ca-certificates",
	  LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR },
	{ "/etc/gnutls/config", LANDLOCK_ACCESS_FS_READ_FILE },
};

static int allow_one(int rules, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr beneath = { .allowed_access = rights };
	int rc;

	beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (beneath.parent_fd < 0)
		return errno == ENOENT ? 0 : -errno;	/* what is not there need not be read */
	rc = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	rc = rc < 0 ? -errno : 0;
	close(beneath.parent_fd);
	return rc;
}

bool sandbox_close_files_but(int dir_fd, const char **why)
{
	const struct landlock_ruleset_attr handled = { .handled_access_fs = ALL_RIGHTS };
	const struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
				  LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
				  LANDLOCK_ACCESS_FS_REMOVE_FILE,
		.parent_fd = dir_fd,
	};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	int rc = rules < 0 ? -errno : 0;

	for (size_t i = 0; rc == 0 && i < sizeof(readable) / sizeof(readable[0]); i++)
		rc = allow_one(rules, readable[i].path, readable[i].rights);
	if (rc == 0 && (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0 ||
			syscall(SYS_landlock_restrict_self, rules, 0) < 0))
		rc = -errno;
	if (rules >= 0)
		close(rules);
	if (rc == 0)
		return true;
	*why = "the kernel has no Landlock to close the file system with: CRLs cannot be fetched";
	return false;
}

bool sandbox_close_files(bool for_network, const char **why)
{
	const struct landlock_ruleset_attr handled = { .handled_access_fs = ALL_RIGHTS };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	int rc = rules < 0 ? -errno : 0;

	/* Without the network there are no paths either: seccomp sees to that alone. */
	if (rc < 0 && !for_network)
		return true;
	for (size_t i = 0; rc == 0 && for_network && i < sizeof(readable) / sizeof(readable[0]); i++)
		rc = allow_one(rules, readable[i].path, readable[i].rights);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		rc = -errno;
	if (rules >= 0)
		close(rules);
	if (rc == 0)
		return true;
	*why = "the kernel has no Landlock to close the file system with: URLs cannot be imported";
	return false;
}
