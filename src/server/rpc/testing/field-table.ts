/**
 * `docs/etcd-fields.md`: a line for each field of etcd's API with its state and with tests that
 * name it. What is not as with etcd is said in `docs/etcd-compatibility.md`; the tests are those
 * that this page names for the methods that carry the field, and the calls that are made to ours
 * and to a real etcd.
 */

export interface Sources {
  /** Of etcd's API, as `api-lines.ts` makes them. */
  readonly lines: readonly string[];
  /** `different` or `absent`, by `Message.field` or, for all fields of it, by `Message`. */
  readonly states: ReadonlyMap<string, string>;
  /** Files, by the path of the method. */
  readonly testsOf: ReadonlyMap<string, readonly string[]>;
  /** Files of calls to both. */
  readonly recorded: readonly string[];
  /** What stands in a file. */
  readonly textOf: (file: string) => string;
}

interface Field {
  readonly message: string;
  readonly name: string;
  readonly number: string;
  readonly type: string;
}

export interface FieldRow extends Field {
  readonly state: string;
  /** None: nothing is known to look at it. */
  readonly tests: readonly string[];
}

const MAX_TESTS = 3;

const withoutPackage = (name: string): string => name.slice(name.indexOf('.') + 1);
const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());

export function fieldRows(sources: Sources): FieldRow[] {
  const fields = sources.lines.flatMap(readField);
  const carriers = carriersOf(fields, sources.lines);
  return fields.map((field) => {
    const { message, name } = field;
    const state = sources.states.get(`${withoutPackage(message)}.${name}`) ?? sources.states.get(withoutPackage(message)) ?? 'supported';
    const own = [...(carriers.get(message) ?? [])].flatMap((path) => sources.testsOf.get(path) ?? []);
    const isNamed = new RegExp(`\\b(${name}|${camelCase(name)})\\b`);
    const naming = [...new Set([...own, ...sources.recorded])].filter((file) => isNamed.test(sources.textOf(file)));
    return { ...field, state, tests: state === 'absent' ? [] : naming.slice(0, MAX_TESTS) };
  });
}

function readField(line: string): Field[] {
  const [, path, number, type] = /^field (\S+) = (\d+) (.*)$/.exec(line) ?? [];
  if (path === undefined || number === undefined || type === undefined) return [];
  const dot = path.lastIndexOf('.');
  return [{ message: path.slice(0, dot), name: path.slice(dot + 1), number, type }];
}

/** The paths of the methods that carry a message, in it or in a message of its fields. */
function carriersOf(fields: readonly Field[], lines: readonly string[]): Map<string, Set<string>> {
  const carriers = new Map<string, Set<string>>();
  const carry = (type: string, path: string): void => {
    for (const message of new Set(fields.map((field) => field.message))) {
      if (!message.endsWith(`.${type}`) || carriers.get(message)?.has(path) === true) continue;
      carriers.set(message, (carriers.get(message) ?? new Set()).add(path));
      for (const field of fields) if (field.message === message) carry(field.type.replace('repeated ', ''), path);
    }
  };
  for (const line of lines) {
    const [, path, request, response] = /^rpc (\S+) (?:stream )?(\S+) -> (?:stream )?(\S+)$/.exec(line) ?? [];
    for (const type of [request, response]) if (path !== undefined && type !== undefined) carry(type, path);
  }
  return carriers;
}

export function fieldPage(rows: readonly FieldRow[], of: string): string {
  const link = (file: string): string => `[${file.slice(file.lastIndexOf('/') + 1).replace(/(\.test)?\.ts$/, '')}](../${file})`;
  const lines = rows.map(({ message, name, number, state, tests }) => `| \`${message}.${name}\` | ${number} | ${state} | ${tests.map(link).join(', ')} |`);
  return `# Fields of etcd's API

Generated, of ${of}: see [etcd-compatibility.md](etcd-compatibility.md), which says how what is
different is different, and why what is absent is absent. Supported: read or filled as etcd does.

| field | number | state | tests that name it |
|---|---|---|---|
${lines.join('\n')}
`;
}
