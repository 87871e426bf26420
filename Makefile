# crm_sync: Microsoft Dynamics CRM 2011 entities as synchronised tables.
#
# make, make install, make installcheck work the PGXS way on any installation.
# make demo and make test set up by themselves all they need (see README.md).

MODULE_big = crm_sync
EXTENSION = crm_sync
DATA = crm_sync--1.0.sql
PGFILEDESC = "crm_sync - two CRM systems kept in step"

OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c))

# What installcheck runs: every sql/*.sql between the two that start and stop
# the CDMS simulator, then every specification in test/isolation/specs.
REGRESS = setup \
	$(filter-out setup teardown,$(sort $(basename $(notdir $(wildcard sql/*.sql))))) \
	teardown
ISOLATION = setup \
	$(filter-out setup teardown,$(sort $(basename $(notdir $(wildcard test/isolation/specs/*.spec))))) \
	teardown
ISOLATION_OPTS = --inputdir=$(CURDIR)/test/isolation
ENCODING = UTF8

.DEFAULT_GOAL := all

# ------------------------------------------------------- the newcomer's goals
#
# They need neither PostgreSQL nor a compiler: they install what is missing,
# then call this Makefile again in a copy of the tree.

.PHONY: demo demo-stop test test-long test-memory test-mutants test-fuzz-defects fuzz fuzz-coverage bench

demo:
	@bash test/sandbox.sh demo

demo-stop:
	@bash test/sandbox.sh stop

test-long test-memory: export CRM_LONG = 1
test-memory: export SUITES = sanitizers valgrind
test-mutants: export SUITES = mutants
test-fuzz-defects: export SUITES = defects
fuzz: export SUITES = fuzz
fuzz-coverage: export SUITES = coverage
fuzz: export FUZZ_SECONDS ?= 600
test test-long test-memory test-mutants test-fuzz-defects fuzz fuzz-coverage:
	@bash test/sandbox.sh run

bench:
	@bash test/sandbox.sh bench

# ------------------------------------------------------------ the PGXS goals

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

# Debian's server package has pgxs.mk without the headers.
ifneq ($(wildcard $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h),)

# PostgreSQL exports what a module must export only from 16 on.
PG_CPPFLAGS := -Isrc $(shell xml2-config --cflags) $(shell curl-config --cflags) \
	'-DPGDLLEXPORT=__attribute__((visibility("default")))'
PG_CFLAGS = -std=gnu99 -Wall -Wextra -Werror -fvisibility=hidden \
	-Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK := $(shell xml2-config --libs) $(shell curl-config --libs)

include $(PGXS)

# Where PostgreSQL was built with gcc, clang may overlook what it does not know:
# gcc's options, and the attribute gnu_printf in PostgreSQL's headers.
ifneq ($(findstring clang,$(CC)),)
override CFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument \
	-Wno-ignored-attributes
endif

$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h src/*/*.h)

# Where the SQL functions of the tests find the simulator, and the format that
# this run is about (CRM_FORMAT=atom): isolation tests can't read the
# environment as psql can.
installcheck: export PGOPTIONS := $(PGOPTIONS) -c cdms.srcdir=$(subst $() ,\$() ,$(CURDIR)) \
	-c cdms.format=$(or $(CRM_FORMAT),json)

else

.PHONY: all install uninstall installcheck clean
all install uninstall installcheck clean:
	@echo "crm_sync needs PostgreSQL's build files, and '$(PG_CONFIG) --pgxs' does not lead" >&2
	@echo "to them: install postgresql-server-dev-NN, or say where: make PG_CONFIG=/path/pg_config." >&2
	@echo "'make demo' and 'make test' install what they need by themselves." >&2
	@exit 1

endif
