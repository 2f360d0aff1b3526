/* ipspctl/operate.h - the commands that have something done: operations, connections, jobs. */
#ifndef IPSPCTL_OPERATE_H
#define IPSPCTL_OPERATE_H

#include "ipspctl/request.h"

#define CTL_FLUSH_USAGE "[all|inbound|outbound|esp|ah]"
#define CTL_JOB_USAGE "NAME FILE|URL [--export] [--replace] [--dry-run] [--timeout SECONDS]"

int ctl_save(struct context *x, int argc, char **argv);
int ctl_reload(struct context *x, int argc, char **argv);
int ctl_flush(struct context *x, int argc, char **argv);
int ctl_initiate(struct context *x, int argc, char **argv);
int ctl_terminate(struct context *x, int argc, char **argv);
int ctl_rekey(struct context *x, int argc, char **argv);
int ctl_job(struct context *x, int argc, char **argv);

#endif
