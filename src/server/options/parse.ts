/**
 * From flags, environment and file to one value per option, each with its source. A flag beats the
 * environment, that beats the file, that beats the default; nobody silences the others. In the
 * environment etcd's names do as well as ours, which beat them.
 */

import { readConfigFile } from './config-file.js';
import { envName, parseOption, suggestion, UsageError, type OptionSpec, type OptionValue } from './spec.js';
import { OPTIONS } from './table.js';

export type Source = 'flag' | 'env' | 'file' | 'default';

export interface Resolved {
  readonly spec: OptionSpec;
  readonly value: OptionValue;
  readonly source: Source;
}

export interface ParsedOptions {
  readonly options: ReadonlyMap<string, Resolved>;
  readonly help: boolean;
  readonly version: boolean;
  readonly check: boolean;
  /** `KINTSUGI_*` variables that name no option. */
  readonly unknownEnv: readonly string[];
}

const BY_NAME = new Map(OPTIONS.map((spec) => [spec.name, spec]));
const SWITCHES = new Set(['help', 'h', 'version', 'check']);

interface Flags {
  readonly values: Map<string, string>;
  readonly switches: Set<string>;
  configFile: string | undefined;
}

/**
 * As Go's flag package: one or two dashes, `--name value` or `--name=value`, a boolean only with
 * `=`.
 */
function parseFlags(args: readonly string[]): Flags {
  const flags: Flags = { values: new Map(), switches: new Set(), configFile: undefined };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const [, name, , given] = /^--?([^-=][^=]*)(=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) throw new UsageError(`${JSON.stringify(arg)} is not a flag`);
    if (SWITCHES.has(name)) {
      if (given !== 'false') flags.switches.add(name);
      continue;
    }
    const spec = BY_NAME.get(name);
    if (spec === undefined && name !== 'config-file') throw new UsageError(`unknown flag --${name}${suggestion(name, BY_NAME.keys())}`);
    let value = given;
    if (value === undefined && spec?.kind === 'bool') value = 'true';
    if (value === undefined) {
      value = args[++i];
      if (value === undefined) throw new UsageError(`--${name} needs a value`);
    }
    if (spec === undefined) flags.configFile = value;
    else flags.values.set(name, value);
  }
  return flags;
}

export function parseOptions(args: readonly string[], env: Readonly<Record<string, string | undefined>>): ParsedOptions {
  const flags = parseFlags(args);
  const configFile = flags.configFile ?? env['KINTSUGI_CONFIG_FILE'] ?? env['ETCD_CONFIG_FILE'];
  const file = configFile === undefined || configFile === '' ? new Map<string, string>() : readConfigFile(configFile, BY_NAME);
  const options = new Map<string, Resolved>();
  const known = new Set(['KINTSUGI_CONFIG_FILE']);
  for (const spec of OPTIONS) {
    known.add(envName(spec.name));
    const variable = [envName(spec.name), envName(spec.name, 'ETCD')].find((name) => env[name] !== undefined) ?? '';
    options.set(spec.name, resolve(spec, flags.values.get(spec.name), [variable, env[variable]], file.get(spec.name), configFile));
  }
  return {
    options,
    help: flags.switches.has('help') || flags.switches.has('h'),
    version: flags.switches.has('version'),
    check: flags.switches.has('check'),
    unknownEnv: Object.keys(env).filter((name) => name.startsWith('KINTSUGI_') && !known.has(name)),
  };
}

function resolve(
  spec: OptionSpec, flag: string | undefined, [name, variable]: readonly [string, string | undefined], key: string | undefined,
  path: string | undefined,
): Resolved {
  if (flag !== undefined) return { spec, source: 'flag', value: parseOption(spec, flag, `--${spec.name}`) };
  if (variable !== undefined) return { spec, source: 'env', value: parseOption(spec, variable, name) };
  if (key !== undefined) return { spec, source: 'file', value: parseOption(spec, key, `${path}: ${spec.name}`) };
  return { spec, source: 'default', value: spec.default };
}

function show(value: OptionValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return Array.isArray(value) ? JSON.stringify(value.join(',')) : String(value as number | boolean);
}

/** What `--check` prints: one line per option with its source. */
export function describeOptions(parsed: ParsedOptions): string {
  const rows = [...parsed.options.values()].filter(({ spec, source }) => spec.support.kind === 'here' || source !== 'default');
  const width = Math.max(...rows.map(({ spec }) => spec.name.length));
  return rows
    .map(({ spec, value, source }) => `${spec.name.padEnd(width)}  ${show(value)}  (${source})${unit(spec)}`)
    .join('\n');
}

function unit(spec: OptionSpec): string {
  if (spec.support.kind !== 'here') return ` ${spec.support.kind}: ${spec.support.why}`;
  return spec.kind === 'duration' ? ' ms' : spec.kind === 'size' ? ' bytes' : '';
}

export function helpText(): string {
  const lines = [
    'Usage: kintsugi start [flags]', '',
    'Starts one member. Flags are spelled as etcd\'s; each is also KINTSUGI_<NAME> in the environment and <name> in the',
    'YAML file of --config-file. A flag beats the environment, which beats the file.', '',
    'Examples:',
    '  kintsugi start --name a --data-dir /var/lib/kintsugi',
    '  kintsugi start --name a --initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380 \\',
    '    --initial-advertise-peer-urls http://10.0.0.1:2380 --listen-peer-urls http://10.0.0.1:2380 \\',
    '    --listen-client-urls http://10.0.0.1:2379 --advertise-client-urls http://10.0.0.1:2379', '',
    '  --config-file <path>  YAML file', '  --check               print the resolved configuration and exit',
    '  --version             print the version and exit',
  ];
  let section = '';
  for (const spec of OPTIONS) {
    if (spec.group !== section) lines.push('', `${(section = spec.group)}:`);
    const value = show(spec.default);
    lines.push(`  --${spec.name}  (default ${value}${unit({ ...spec, support: { kind: 'here' } })})`, `      ${spec.help}`);
    if (spec.support.kind !== 'here') lines.push(`      ${spec.support.kind === 'moot' ? 'No effect' : 'Refused'}: ${spec.support.why}.`);
  }
  return lines.join('\n');
}
