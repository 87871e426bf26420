# crm_sync: Microsoft Dynamics CRM 2011 entities as synchronised tables.
#
# make, make install, make installcheck work the PGXS way on any installation.
# make demo and make test set up by themselves all they need (see README.md).

MODULE_big = crm_sync
EXTENSION = crm_sync
DATA = crm_sync--1.0.sql
PGFILEDESC = "crm_sync - two CRM systems kept in step"

OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c))

PG_CPPFLAGS = -I$(srcdir)/src $(shell xml2-config --cflags) $(shell curl-config --cflags)
PG_CFLAGS = -std=gnu99 -Wall -Wextra -Werror -fvisibility=hidden \
	-Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = $(shell xml2-config --libs) $(shell curl-config --libs)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
