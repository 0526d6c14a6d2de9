#pragma once
/*
 * Purpose: domain names: what every DNS driver does, and how its records look.
 *
 * The parameters of each slot are those of its row in control/ops_dns.c. A zone is named by its domain name or its
 * identifier. A record set is a name, a type, a TTL and its values in the form of a zone file (RFC 1035 5.1): names
 * absolute without the last dot, MX "10 mail.example.org", TXT its text without quotes (a driver splits it into strings
 * of 255 bytes and quotes them as its service wants, dns_txt_quote), SRV "0 5 5060 sip.example.org", CAA "0 issue \"ca.example\"".
 * control validates names, types and values before a slot is called (backends/cloud/dns_check.h).
 */
#include "backends/cloud/cloud.h"

struct dns_ops {
	struct cloud_slot zones_list;
	struct cloud_slot zones_get;	/* zone */
	struct cloud_slot zones_create; /* zone, email, ttl, description, private */
	struct cloud_slot zones_update; /* zone, email, ttl, description */
	struct cloud_slot zones_delete; /* zone */
	struct cloud_slot records_list; /* zone; optional: name, type */
	struct cloud_slot records_get;	/* zone, name, type */
	struct cloud_slot records_create; /* zone, name, type, values (list), ttl: an existing set is ERR_EXISTS */
	struct cloud_slot records_update; /* the same: a missing one is ERR_NOT_FOUND */
	struct cloud_slot records_set;	  /* the same: makes or replaces it, and changes nothing when it is so already */
	struct cloud_slot records_delete; /* zone, name, type */
	/* Reverse names of floating IPs. */
	struct cloud_slot ptrs_list;
	struct cloud_slot ptrs_get;    /* address */
	struct cloud_slot ptrs_set;    /* address, name, ttl */
	struct cloud_slot ptrs_delete; /* address */
};

extern const struct record_shape shape_dns_zone, shape_dns_record, shape_dns_ptr;
