/*
 * ipspd/parent_open.c - what only root may open: directories, the control socket, the kernel's packet
 * log; and giving up the rest of root's powers. What packets go through: parent_sockets.c,
 * parent_tun.c, parent_wire.c, parent_queue.c.
 */
#include "config.h"

#include "ipspd/parent.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipspd/guard_wire.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"

#define SOCKET_BUFFER (4 << 20)	/* octets: a burst of handed over packets */

/* ---- files ---- */

/* Makes the directories above path, root's and readable. */
static int make_above(const char *path)
{
	char above[START_PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(above))
		return -ENAMETOOLONG;
	memcpy(above, path, len + 1);
	for (char *slash = strchr(above + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(above, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

int open_directory(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	int rc = make_above(path);

	if (rc < 0)
		return rc;
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

int write_pidfile(const char *path)
{
	char text[16];
	int rc = make_above(path);

	if (rc < 0)
		return rc;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	rc = write(fd, text, (size_t)len) == len ? 0 : -EIO;
	close(fd);
	return rc;
}

/* ---- sockets ---- */

/* Does somebody listen there? */
static bool is_answered(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	bool answered = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0;
	close(fd);
	return answered;
}

int open_listener(const char *path, gid_t gid, mode_t mode, const char **why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	*why = "the path is too long for a socket";
	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	*why = "another process listens there";
	if (is_answered(&sun))
		return -EADDRINUSE;
	int rc = make_above(path);
	int fd = rc == 0 ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
	if (fd < 0) {
		rc = rc < 0 ? rc : -errno;
		*why = strerror(-rc);
		return rc;
	}
	unlink(path);
	mode_t before = umask(0177);	/* nobody connects before it is whose it shall be */
	bool good = bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0;
	umask(before);
	if (!good || chown(path, 0, gid) < 0 || chmod(path, mode) < 0 || listen(fd, 16) < 0) {
		rc = -errno;
		*why = strerror(-rc);
		close(fd);
		return rc;
	}
	return fd;
}

/* ---- what packets go through ---- */

int open_attachment(const struct attach *a, struct engine_start *s, const char **why)
{
	unsigned changed;
	int rc = a->kind == ATTACH_PCAP ? 0 : guard_wire_apply(NULL, NULL, &changed, why);

	if (rc < 0 || a->kind == ATTACH_NONE)
		return rc;
	rc = open_sockets(s, why);
	if (rc < 0)
		return rc;
	return a->kind == ATTACH_PCAP ? open_wire(a, s, why) : open_tun(a->name, s, why);
}

int open_counters(void)
{
	int fd = memfd_create("ipspd counters", MFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* ---- the kernel's packet log ---- */

/*
 * Asks for the group in one message: the first octets of each packet, some packets together; or whole
 * packets, numbered, each at once. NULL: no memory
 */
static struct nl_msg *make_log_request(bool whole)
{
	const struct nfgenmsg head = {
		.version = NFNETLINK_V0,
		.res_id = htons(whole ? IPSPD_HANDOVER_GROUP : IPSPD_LOG_GROUP),
	};
	const struct nfulnl_msg_config_cmd bind_it = { .command = NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = {
		.copy_range = htonl(whole ? IPSPD_HANDOVER_COPY : IPSPD_LOG_COPY),
		.copy_mode = NFULNL_COPY_PACKET,
	};
	const uint32_t wait_cs = htonl(10);	/* packets of so many 1/100 s come together */
	const uint32_t at_once = htonl(1);
	const uint16_t numbered = htons(NFULNL_CFG_F_SEQ);
	struct nl_msg *m = nlmsg_alloc_simple(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, 0);

	bool good = m && nlmsg_append(m, (void *)(uintptr_t)&head, sizeof(head),
				      NLMSG_ALIGNTO) == 0 &&
		    nla_put(m, NFULA_CFG_CMD, sizeof(bind_it), &bind_it) == 0 &&
		    nla_put(m, NFULA_CFG_MODE, sizeof(mode), &mode) == 0;
	if (good && whole)
		good = nla_put(m, NFULA_CFG_QTHRESH, sizeof(at_once), &at_once) == 0 &&
		       nla_put(m, NFULA_CFG_FLAGS, sizeof(numbered), &numbered) == 0;
	else if (good)
		good = nla_put(m, NFULA_CFG_TIMEOUT, sizeof(wait_cs), &wait_cs) == 0;
	if (good)
		return m;
	nlmsg_free(m);
	return NULL;
}

/* The bound socket, as a descriptor that outlives the library's own. */
static int bind_packet_log(struct nl_sock *sk, bool whole, const char **why)
{
	const int size = SOCKET_BUFFER;
	struct nl_msg *m = make_log_request(whole);

	*why = "no memory";
	if (!m)
		return -ENOMEM;
	/* The first packets may come before the answer. */
	nl_socket_disable_seq_check(sk);
	int err = nl_connect(sk, NETLINK_NETFILTER);
	if (err < 0)
		nlmsg_free(m);
	else
		err = nl_send_sync(sk, m);
	*why = nl_geterror(err);
	if (err < 0)
		return -EIO;
	int fd = fcntl(nl_socket_get_fd(sk), F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		int rc = -errno;

		*why = strerror(-rc);
		return rc;
	}
	/* A burst of whole packets waits here; the usual bound stays when there is no more. */
	if (whole)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

int open_packet_log(bool whole, const char **why)
{
	struct nl_sock *sk = nl_socket_alloc();

	*why = "no memory";
	if (!sk)
		return -ENOMEM;
	int fd = bind_packet_log(sk, whole, why);
	nl_socket_free(sk);
	return fd;
}

/* ---- privilege ---- */

bool keep_least_privilege(void)
{
	static const int kept[] = {
		CAP_NET_ADMIN,		/* guard, TUN */
		CAP_NET_RAW,		/* raw and packet sockets */
		CAP_NET_BIND_SERVICE,	/* UDP port 500 */
		CAP_SETUID, CAP_SETGID, CAP_SETPCAP,	/* children become nobody */
		CAP_KILL,		/* and can be killed all the same */
	};

	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (capng_update(CAPNG_ADD, (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED |
							   CAPNG_BOUNDING_SET),
				 (unsigned)kept[i]) != 0)
			return false;
	}
	return capng_apply(CAPNG_SELECT_BOTH) == 0;
}
