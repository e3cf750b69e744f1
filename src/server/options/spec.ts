/**
 * What one option is. The table of them makes flags, environment, file keys, defaults, help and
 * `--check`.
 */

export type OptionKind = 'text' | 'bool' | 'int' | 'duration' | 'size' | 'list' | 'choice';

export type OptionValue = string | boolean | number | readonly string[];

/**
 * `here`: does what it says. `moot`: accepted, without a meaning here; said once in the log when it
 * is set. `refused`: its promise cannot be kept yet, so any value but its default stops the start.
 */
export type Support =
  | { readonly kind: 'here' }
  | { readonly kind: 'moot'; readonly why: string }
  | { readonly kind: 'refused'; readonly why: string };

export interface OptionSpec {
  readonly name: string;
  readonly group: string;
  readonly kind: OptionKind;
  readonly default: OptionValue;
  readonly help: string;
  readonly support: Support;
  readonly choices?: readonly string[];
  /** A bare number means this many milliseconds. Durations only; without it a unit is needed. */
  readonly bareMs?: number;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const DURATION_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, 'µs': 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const SIZE: Readonly<Record<string, number>> = {
  '': 1, B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4,
};

/** `250ms`, `1h30m`; milliseconds. Undefined if it is none. */
export function parseDuration(text: string, bareMs?: number): number | undefined {
  if (/^\d+$/.test(text)) {
    if (text === '0') return 0;
    return bareMs === undefined ? undefined : Number(text) * bareMs;
  }
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, n, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) total += Number(n) * (DURATION_MS[unit ?? ''] ?? 0);
  return total;
}

/** `64MiB`, `1572864`; bytes. Undefined if it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text);
  const unit = SIZE[match?.[2] ?? '?'];
  if (match === null || unit === undefined) return undefined;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/**
 * Throws UsageError with one sentence; `where` is the flag, variable or key as the user wrote it.
 */
export function parseOption(spec: OptionSpec, text: string, where: string): OptionValue {
  const bad = (want: string): UsageError => new UsageError(`${where}: ${JSON.stringify(text)} is not ${want}`);
  switch (spec.kind) {
    case 'text':
      return text;
    case 'list':
      return text === '' ? [] : text.split(',').map((part) => part.trim());
    case 'bool':
      if (/^(1|t|true|T|TRUE|True)$/.test(text)) return true;
      if (/^(0|f|false|F|FALSE|False)$/.test(text)) return false;
      throw bad('a boolean: use true or false');
    case 'int':
      if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) throw bad('a whole number');
      return Number(text);
    case 'duration': {
      const ms = parseDuration(text, spec.bareMs);
      if (ms === undefined) throw bad('a duration such as 250ms, 5s or 10m');
      return ms;
    }
    case 'size': {
      // Of some etcd has a meaning for what is negative; the others say that it is too little.
      const bytes = parseSize(text.replace(/^-/, ''));
      if (bytes === undefined) throw bad('a size such as 64MiB or 1572864');
      return text.startsWith('-') ? -bytes : bytes;
    }
    case 'choice':
      if (!(spec.choices ?? []).includes(text)) throw bad(`one of ${(spec.choices ?? []).join(', ')}`);
      return text;
  }
}

/** For a name that is none: the option that is meant, to be put behind the error. */
export function suggestion(name: string, options: Iterable<string>): string {
  const near = [...options].find((option) => option.replaceAll('-', '') === name.toLowerCase().replaceAll(/[-_]/g, ''));
  return near === undefined ? '' : `; did you mean --${near}?`;
}

/** The name of an option in the environment; `prefix` ETCD: as etcd has it. */
export function envName(name: string, prefix: 'KINTSUGI' | 'ETCD' = 'KINTSUGI'): string {
  return `${prefix}_${name.toUpperCase().replaceAll('-', '_')}`;
}
