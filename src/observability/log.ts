/**
 * JSON lines: a constant message and fields. Values of keys are never logged. Events of the layers
 * below become lines here, each kind with its level; what happens many times a second is counted,
 * not logged.
 */

import { pino, multistream, destination, type Logger } from 'pino';
import type { EventSink, KintsugiEvent } from '../base/events.js';
import { formatId } from '../base/ids.js';

export type { Logger } from 'pino';

const LEVELS: Readonly<Record<string, string>> = { panic: 'fatal' };

/**
 * `default` and `stderr` are stderr, `stdout` is stdout, anything else a file that is appended to.
 */
export function openLogger(level: string, outputs: readonly string[], fields: Record<string, unknown>): Logger {
  const pinoLevel = LEVELS[level] ?? level;
  const streams = (outputs.length === 0 ? ['default'] : outputs).map((output) => {
    const to = output === 'stdout' ? 1 : output === 'default' || output === 'stderr' ? 2 : output;
    return { level: pinoLevel, stream: destination({ dest: to, sync: true, mkdir: true }) };
  });
  return pino(
    {
      level: pinoLevel,
      base: fields,
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    multistream(streams as Parameters<typeof multistream>[0]),
  );
}

type Level = 'debug' | 'info' | 'warn' | 'error';

/** Undefined: counted only. */
const EVENT_LEVELS: Readonly<Record<KintsugiEvent['type'], Level | undefined>> = {
  'role-changed': 'info',
  'leader-lost': 'warn',
  'log-sync': undefined,
  'applied': undefined,
  'leases-changed': undefined,
  'leases-renewed': undefined,
  'leases-expired': undefined,
  'proposal-reproposed': 'info',
  'proposal-failed': 'debug',
  'sealed': 'debug',
  'plan': 'debug',
  'produced': 'debug',
  'digest-disagreed': 'error',
  'edit': 'debug',
  'edit-refused': 'info',
  'materialized': 'debug',
  'snapshot-sent': 'info',
  'snapshot-received': 'info',
  'snapshot-progress': 'info',
  'log-truncated': 'debug',
  'block-corrected': 'warn',
  'block-unreadable': 'warn',
  'block-repaired': 'info',
  'hint': 'info',
  'hints-forwarded': 'info',
  'hints-received': 'info',
  'heal-proposed': 'info',
  'heal-applied': 'info',
  'heal-failed': 'warn',
  'scrub-done': 'info',
  'members-changed': 'info',
  'readmission': 'info',
  'log-way': 'debug',
  'disk-failed': 'error',
  'disk-room': 'warn',
  'tls-reloaded': 'info',
  'health-checked': undefined,
  'warning': 'warn',
};

const ID_FIELDS: ReadonlySet<string> = new Set(['leader', 'node', 'to', 'from']);

/**
 * Members in hex, as everywhere an operator sees them; the field `node` of a line is the name of
 * who speaks.
 */
function fieldsOf(event: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(event)) {
    if (name === 'type') continue;
    const key = name === 'node' ? 'member' : name;
    if (typeof value === 'number' && ID_FIELDS.has(name)) fields[key] = formatId(value);
    else if (name === 'nodes' && Array.isArray(value)) fields['members'] = (value as readonly number[]).map(formatId);
    else fields[key] = value;
  }
  return fields;
}

/** Lines of one kind within a second beyond this are counted and told at the next one. */
const MAX_PER_SECOND = 50;

export function logEvents(logger: Logger, now: () => number): EventSink {
  let second = 0;
  let lines = 0;
  let suppressed = 0;
  return {
    emit(event) {
      const level = EVENT_LEVELS[event.type];
      if (level === undefined || !logger.isLevelEnabled(level)) return;
      const current = Math.floor(now() / 1000);
      if (current !== second) {
        second = current;
        lines = 0;
        if (suppressed > 0) logger.warn({ suppressed }, 'log lines were suppressed');
        suppressed = 0;
      }
      if (++lines > MAX_PER_SECOND && level !== 'error') {
        suppressed++;
        return;
      }
      if (event.type === 'warning') logger.warn(event.data, event.message);
      else logger[level](fieldsOf(event), event.type);
    },
  };
}
