/*
 * cdms/timestamp.c
 *	  Moments between CDMS and PostgreSQL: "/Date(ms)/", ISO 8601, and back.
 *
 * Integer arithmetic in UTC throughout: the session's TimeZone and DateStyle
 * have no say.  CDMS keeps moments in UTC (cdms-protocol 5), and a text without
 * a zone is UTC too: the data service drops the Z of what it was sent
 * (captures/wcf/34 and 37).
 */
#include "postgres.h"

#include "common/int.h"
#include "datatype/timestamp.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "cdms/value.h"

/* From 1970-01-01 to 2000-01-01. */
#define EPOCHS_APART_MS \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000)

pg_noreturn static void bad_syntax(const char *text);
pg_noreturn static void out_of_range(void);

static void
bad_syntax(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
			 errmsg("invalid Edm.DateTime: \"%s\"", text)));
}

static void
out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("Edm.DateTime out of range")));
}

/* x / y rounded towards minus infinity, y > 0. */
static int64
floor_divide(int64 x, int64 y)
{
	return x / y - (x % y < 0 ? 1 : 0);
}

TimestampTz
crm_timestamp_from_ms(int64 ms)
{
	int64		since_2000;
	TimestampTz result;

	if (pg_sub_s64_overflow(ms, EPOCHS_APART_MS, &since_2000) ||
		pg_mul_s64_overflow(since_2000, 1000, &result) ||
		!IS_VALID_TIMESTAMP(result))
		out_of_range();
	return result;
}

int64
crm_timestamp_to_ms(TimestampTz timestamp)
{
	if (TIMESTAMP_NOT_FINITE(timestamp))
		out_of_range();
	return floor_divide(timestamp, 1000) + EPOCHS_APART_MS;
}

/*
 * Reads lead (0: nothing) and then exactly width digits; moves *at behind them.
 */
static bool
read_digits(const char **at, char lead, int width, int *value)
{
	const char *p = *at;

	if (lead && *p++ != lead)
		return false;
	*value = 0;
	for (int i = 0; i < width; i++, p++)
	{
		if (*p < '0' || *p > '9')
			return false;
		*value = *value * 10 + (*p - '0');
	}
	*at = p;
	return true;
}

/*
 * ".1", ".1234567": .NET has seven digits, PostgreSQL six; the rest is cut.
 * Nothing at all is a fraction of zero.
 */
static bool
read_fraction(const char **at, int *microseconds)
{
	const char *p = *at;
	int			unit = USECS_PER_SEC / 10;

	*microseconds = 0;
	if (*p != '.')
		return true;
	for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
		*microseconds += (*p - '0') * unit;
	if (p[-1] == '.')
		return false;
	*at = p;
	return true;
}

/* "Z", "+01:30", "-0130" or nothing, in minutes east. */
static bool
read_zone(const char **at, int *minutes)
{
	char		sign = **at;
	int			hour;
	int			minute;

	*minutes = 0;
	if (sign == 'Z')
		(*at)++;
	if (sign != '+' && sign != '-')
		return true;
	if (!read_digits(at, sign, 2, &hour) ||
		!read_digits(at, **at == ':' ? ':' : 0, 2, &minute))
		return false;
	*minutes = (hour * 60 + minute) * (sign == '-' ? -1 : 1);
	return true;
}

/*
 * What follows "/Date(".  The milliseconds are in UTC whatever offset follows
 * them; the offset tells the writer's own zone (Microsoft, "Stand-Alone JSON
 * Serialization").
 */
static TimestampTz
parse_milliseconds(const char *text, const char *at)
{
	bool		negative = *at == '-';
	const char *first = negative ? ++at : at;
	int64		ms = 0;
	int			offset;

	for (; *at >= '0' && *at <= '9'; at++)
	{
		if (pg_mul_s64_overflow(ms, 10, &ms) || pg_add_s64_overflow(ms, *at - '0', &ms))
			out_of_range();
	}
	if (at == first || *at == 'Z' || !read_zone(&at, &offset) || strcmp(at, ")/") != 0)
		bad_syntax(text);
	return crm_timestamp_from_ms(negative ? -ms : ms);
}

static TimestampTz
parse_iso(const char *text)
{
	const char *at = text;
	int			year,
				month,
				day;
	int			hour = 0,
				minute = 0,
				second = 0,
				microsecond = 0,
				east = 0;
	int64		seconds;
	bool		good;

	good = read_digits(&at, 0, 4, &year) && read_digits(&at, '-', 2, &month) &&
		read_digits(&at, '-', 2, &day);
	if (good && *at == 'T')
		good = read_digits(&at, 'T', 2, &hour) && read_digits(&at, ':', 2, &minute);
	if (good && *at == ':')
		good = read_digits(&at, ':', 2, &second) && read_fraction(&at, &microsecond);
	if (!good || !read_zone(&at, &east) || *at != '\0')
		bad_syntax(text);

	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR ||
		day < 1 || day > day_tab[isleap(year)][month - 1] ||
		hour > 23 || minute > 59 || second > 59)
		out_of_range();

	seconds = (int64) (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * SECS_PER_DAY +
		hour * SECS_PER_HOUR + (minute - east) * SECS_PER_MINUTE + second;
	return seconds * USECS_PER_SEC + microsecond;
}

TimestampTz
crm_timestamp_parse(const char *text)
{
	static const char prefix[] = "/Date(";

	if (strncmp(text, prefix, strlen(prefix)) == 0)
		return parse_milliseconds(text, text + strlen(prefix));
	return parse_iso(text);
}

int
crm_timestamp_day(TimestampTz timestamp)
{
	return (int) floor_divide(timestamp, USECS_PER_DAY);
}

void
crm_timestamp_append(StringInfo out, TimestampTz timestamp)
{
	int			days;
	int64		time;
	int			year,
				month,
				day;

	if (TIMESTAMP_NOT_FINITE(timestamp))
		out_of_range();

	days = crm_timestamp_day(timestamp);
	time = timestamp - days * USECS_PER_DAY;
	j2date(days + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	if (year < 1 || year > 9999)
		out_of_range();

	appendStringInfo(out, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
					 (int) (time / USECS_PER_HOUR),
					 (int) (time / USECS_PER_MINUTE % MINS_PER_HOUR),
					 (int) (time / USECS_PER_SEC % SECS_PER_MINUTE));
	if (time % USECS_PER_SEC != 0)
		appendStringInfo(out, ".%06d", (int) (time % USECS_PER_SEC));
	appendStringInfoChar(out, 'Z');
}
