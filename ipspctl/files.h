/* ipspctl/files.h - the commands that read and write files: import and export. */
#ifndef IPSPCTL_FILES_H
#define IPSPCTL_FILES_H

#include "ipspctl/request.h"

#define CTL_IMPORT_USAGE                                                                           \
	"FILE|URL|- [--merge|--replace] [--dry-run] [--diff] [--timeout SECONDS] "                 \
	"[--passphrase-file FILE|--key-file FILE|--without-secrets]"
#define CTL_EXPORT_USAGE "[FILE] [--with-secrets [--passphrase-file FILE|--key-file FILE]]"

int ctl_import(struct context *x, int argc, char **argv);
int ctl_export(struct context *x, int argc, char **argv);

#endif
