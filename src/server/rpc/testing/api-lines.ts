/** An API as lines to compare: its methods, messages, fields, values, with numbers and types. */

import protobuf from 'protobufjs';

/** `resolve`: where an imported file is; null: what is in it says nothing of the wire. */
export function apiLines(files: readonly string[], resolve: (name: string) => string | null): string[] {
  const root = new protobuf.Root();
  root.resolvePath = (_from, name) => resolve(name);
  root.loadSync([...files], { keepCase: true });
  return root.nestedArray.flatMap(linesOf).sort();
}

/** Of a type: as it is called where it stands. */
const short = (type: string): string => type.slice(type.lastIndexOf('.') + 1);
const stream = (is: boolean | undefined): string => (is === true ? 'stream ' : '');

function linesOf(what: protobuf.ReflectionObject): string[] {
  const name = what.fullName.slice(1);
  if (what instanceof protobuf.Enum) return Object.entries(what.values).map(([label, value]) => `value ${name}.${label} = ${value}`);
  if (what instanceof protobuf.Service) {
    return what.methodsArray.map((rpc) =>
      `rpc ${name}/${rpc.name} ${stream(rpc.requestStream)}${short(rpc.requestType)} -> ${stream(rpc.responseStream)}${short(rpc.responseType)}`);
  }
  const fields = what instanceof protobuf.Type ? [`message ${name}`, ...what.fieldsArray.map(fieldOf)] : [];
  return what instanceof protobuf.Namespace ? [...fields, ...what.nestedArray.flatMap(linesOf)] : fields;

  function fieldOf(field: protobuf.Field): string {
    return `field ${name}.${field.name} = ${field.id} ${field.repeated ? 'repeated ' : ''}${short(field.type)}`;
  }
}
