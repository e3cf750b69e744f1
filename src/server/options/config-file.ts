/**
 * The file of `--config-file`: keys are the flags' names, lists may be YAML lists. What etcd's file
 * has otherwise is read as etcd does: maps for TLS and sockets, and durations in nanoseconds.
 */

import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { messageOf } from '../../base/errors.js';
import { suggestion, UsageError, type OptionSpec } from './spec.js';

/** The keys of a map, and which flags they are. */
type Section = Readonly<Record<string, string>>;

const TLS = ['cert-file', 'key-file', 'client-cert-file', 'client-key-file', 'client-cert-auth', 'trusted-ca-file', 'auto-tls'];

const SECTIONS: Readonly<Record<string, Section>> = {
  'client-transport-security': {
    ...Object.fromEntries(TLS.map((key) => [key, key])),
    'allowed-hostname': 'client-cert-allowed-hostname', 'crl-file': 'client-crl-file',
  },
  'peer-transport-security': {
    ...Object.fromEntries(TLS.map((key) => [key, `peer-${key}`])),
    'allowed-cn': 'peer-cert-allowed-cn', 'allowed-hostname': 'peer-cert-allowed-hostname', 'crl-file': 'peer-crl-file',
    'skip-client-san-verification': 'peer-skip-client-san-verification',
  },
  'socket-options': { 'reuse-port': 'socket-reuse-port', 'reuse-address': 'socket-reuse-address' },
};

/** Values as flags would have them. Throws UsageError. */
export function readConfigFile(path: string, known: ReadonlyMap<string, OptionSpec>): Map<string, string> {
  const values = new Map<string, string>();
  const add = (key: string, name: string, value: unknown): void => {
    const spec = known.get(name);
    if (spec === undefined) throw new UsageError(`${path}: unknown key ${key}${suggestion(key, known.keys())}`);
    if (values.has(name)) throw new UsageError(`${path}: ${name} is set twice`);
    values.set(name, fileValue(path, key, spec, value));
  };
  for (const [key, value] of Object.entries(contentOf(path))) {
    const section = Object.hasOwn(SECTIONS, key) ? SECTIONS[key] : undefined;
    if (section === undefined) {
      add(key, key, value);
      continue;
    }
    if (value === null) continue;
    if (typeof value !== 'object' || Array.isArray(value)) throw new UsageError(`${path}: ${key} is a map of ${Object.keys(section).join(', ')}`);
    for (const [inner, each] of Object.entries(value)) {
      const name = Object.hasOwn(section, inner) ? section[inner] : undefined;
      if (name === undefined) throw new UsageError(`${path}: unknown key ${inner} in ${key}; there are ${Object.keys(section).join(', ')}`);
      add(`${key}.${inner}`, name, each);
    }
  }
  return values;
}

function contentOf(path: string): object {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--config-file: ${messageOf(error)}`);
  }
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new UsageError(`${path}: ${error.message.split('\n')[0]}`);
  const content: unknown = document.toJS();
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content)) throw new UsageError(`${path}: not a map of options`);
  return content;
}

function fileValue(path: string, key: string, spec: OptionSpec, value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join(',');
  if (value === null || value === undefined) return '';
  if (typeof value === 'object') throw new UsageError(`${path}: ${key} is a map, one value is wanted`);
  // A Go duration; those that etcd counts in milliseconds are no durations of Go.
  if (spec.kind === 'duration' && spec.bareMs === undefined && typeof value === 'number') return `${value}ns`;
  return String(value as string | number | boolean);
}
