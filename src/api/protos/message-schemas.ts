/**
 * Schemas of messages for their JSON form, from the `.proto` files. A kind of field that the JSON
 * form does not know stops the start, and not a request.
 */

import protobuf from 'protobufjs';
import { must } from '../../base/assert.js';
import type { FieldKind, FieldSchema, MessageSchema } from '../json/schema.js';
import { CLIENT_PROTOS, protoPath } from './protos.js';

const KINDS: ReadonlySet<string> = new Set<FieldKind>(['int32', 'uint32', 'int64', 'uint64', 'bool', 'string', 'bytes']);
const NO_NAMES: ReadonlyMap<number, string> = new Map();
const NO_NUMBERS: ReadonlyMap<string, number> = new Map();

/** `range_end` is `rangeEnd`; `ID` and `memberID` stay. */
function camelCase(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

export interface MethodSchemas {
  readonly request: MessageSchema;
  readonly response: MessageSchema;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

export class MessageSchemas {
  readonly #root: protobuf.Root;
  readonly #made = new Map<protobuf.Type, MessageSchema>();

  constructor() {
    const root = new protobuf.Root();
    root.resolvePath = (_origin, target) => protoPath(target);
    this.#root = root.loadSync([...CLIENT_PROTOS], { keepCase: true });
    this.#root.resolveAll();
  }

  /** `/etcdserverpb.KV/Range`; undefined: the `.proto` files have no such method. */
  ofMethod(path: string): MethodSchemas | undefined {
    const [, service = '', name = ''] = path.split('/');
    const found = this.#root.lookup(service, [protobuf.Service]) as protobuf.Service | null;
    const method = found?.methods[name];
    if (method === undefined) return undefined;
    method.resolve();
    const { resolvedRequestType, resolvedResponseType, requestStream = false, responseStream = false } = method;
    return {
      request: this.#messageOf(must(resolvedRequestType, `${path} has a request`)),
      response: this.#messageOf(must(resolvedResponseType, `${path} has a response`)),
      requestStream, responseStream,
    };
  }

  /** Messages may hold themselves: the schema is known before its fields are. */
  #messageOf(type: protobuf.Type): MessageSchema {
    const known = this.#made.get(type);
    if (known !== undefined) return known;
    const byNumber = new Map<number, FieldSchema>();
    const byName = new Map<string, FieldSchema>();
    const made = { name: type.fullName.replace(/^\./, ''), byNumber, byName };
    this.#made.set(type, made);
    for (const field of type.fieldsArray) {
      const schema = this.#fieldOf(field);
      byNumber.set(schema.number, schema);
      byName.set(schema.jsonName, schema).set(schema.name, schema);
    }
    return made;
  }

  #fieldOf(field: protobuf.Field): FieldSchema {
    const { name, id: number, repeated, resolvedType, type } = field;
    const base = { name, jsonName: camelCase(name), number, repeated, oneof: field.partOf?.name };
    if (resolvedType instanceof protobuf.Type && !field.map) {
      return { ...base, kind: 'message', names: NO_NAMES, numbers: NO_NUMBERS, message: this.#messageOf(resolvedType) };
    }
    if (resolvedType instanceof protobuf.Enum) {
      const names = new Map(Object.entries(resolvedType.valuesById).map(([id, text]) => [Number(id), text]));
      return { ...base, kind: 'enum', names, numbers: new Map(Object.entries(resolvedType.values)), message: undefined };
    }
    if (field.map || !KINDS.has(type)) throw new Error(`${field.fullName}: the JSON form knows no ${field.map ? 'map' : type}`);
    return { ...base, kind: type as FieldKind, names: NO_NAMES, numbers: NO_NUMBERS, message: undefined };
  }
}
