/*
 * agentx/error.h - what mibs/ says in the words of SNMP: error-status and exceptions. One table.
 */
#ifndef AGENTX_ERROR_H
#define AGENTX_ERROR_H

#include "agentx/pdu.h"

/** RFC 3416 section 3, those a subagent sends: res.error of SNMP request processing. */
enum ax_snmp_error {
	AX_SNMP_NO_ERROR = 0,
	AX_SNMP_GEN_ERR = 5,
	AX_SNMP_NO_ACCESS = 6,
	AX_SNMP_WRONG_TYPE = 7,
	AX_SNMP_WRONG_LENGTH = 8,
	AX_SNMP_WRONG_ENCODING = 9,
	AX_SNMP_WRONG_VALUE = 10,
	AX_SNMP_NO_CREATION = 11,
	AX_SNMP_INCONSISTENT_VALUE = 12,
	AX_SNMP_RESOURCE_UNAVAILABLE = 13,
	AX_SNMP_COMMIT_FAILED = 14,
	AX_SNMP_UNDO_FAILED = 15,
	AX_SNMP_NOT_WRITABLE = 17,
	AX_SNMP_INCONSISTENT_NAME = 18,
};

/** @return its res.error: an enum ax_snmp_error. An exception is no error-status: genErr. */
uint16_t ax_error_status(enum mib_err err);

/** @return the v.type of an exception; AX_NULL when err is none */
enum ax_value_type ax_error_exception(enum mib_err err);

#endif
