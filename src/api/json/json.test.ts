import assert from 'node:assert/strict';
import fc from 'fast-check';
import { JsonError } from './json-error.js';
import { atOnce } from '../../base/drive.js';
import { MessageSchemas, type MethodSchemas } from '../protos/message-schemas.js';
import { clientPackage, serviceMethods, type AnyMethod } from '../protos/protos.js';
import { readJson } from './read-json.js';
import type { MessageSchema } from './schema.js';
import { ValueSplitter } from './value-splitter.js';
import { writeJson } from './write-json.js';

const schemas = new MessageSchemas();

function of(path: string): { schemas: MethodSchemas; method: AnyMethod } {
  const [, service = '', name = ''] = path.split('/');
  const found = schemas.ofMethod(path);
  const method = serviceMethods(service)[name];
  assert.ok(found && method);
  return { schemas: found, method };
}

const range = of('/etcdserverpb.KV/Range');
const txn = of('/etcdserverpb.KV/Txn');

const text = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const read = (schema: MessageSchema, json: unknown): Buffer => Buffer.from(atOnce(readJson(schema, text(json))));
const written = (schema: MessageSchema, bytes: Uint8Array): string => [...writeJson(schema, bytes)].join('');

/** What protobufjs makes of the bytes, which it reads by the same `.proto` files. */
function rangeOf(json: unknown): Record<string, unknown> {
  return range.method.requestDeserialize(read(range.schemas.request, json)) as Record<string, unknown>;
}

const why = (json: unknown, schema = range.schemas.request): string => {
  try {
    read(schema, json);
  } catch (error) {
    assert.ok(error instanceof JsonError);
    return error.message;
  }
  return 'fine';
};

/** A message as JSON may say it, and as protobufjs is given it. */
function messages(schema: MessageSchema, depth: number): fc.Arbitrary<{ json: Record<string, unknown>; object: Record<string, unknown> }> {
  const fields = [...new Set(schema.byNumber.values())].filter(({ kind }) => kind !== 'message' || depth > 0);
  const value = (field: (typeof fields)[number]): fc.Arbitrary<{ json: unknown; object: unknown }> => {
    switch (field.kind) {
      case 'message': return messages(field.message as MessageSchema, depth - 1);
      case 'bool': return fc.boolean().map((b) => ({ json: b, object: b }));
      case 'string': return fc.string({ unit: 'grapheme' }).map((s) => ({ json: s, object: s }));
      case 'bytes': return fc.uint8Array({ maxLength: 20 }).map((b) => ({ json: Buffer.from(b).toString('base64'), object: Buffer.from(b) }));
      case 'enum': return fc.constantFrom(...field.numbers).map(([name, number]) => ({ json: number % 2 === 0 ? name : number, object: name }));
      case 'int32':
      case 'uint32': return fc.nat().map((n) => ({ json: n, object: n }));
      default: {
        const min = field.kind === 'uint64' ? 0n : -(2n ** 63n);
        const all = fc.bigInt({ min, max: field.kind === 'uint64' ? 2n ** 64n - 1n : 2n ** 63n - 1n });
        return fc.oneof(fc.constant(0n), all).map((n) => ({ json: n.toString(), object: n.toString() }));
      }
    }
  };
  const entry = fields.map((field) => {
    const one = field.repeated ? fc.array(value(field), { maxLength: 3 }).map((list) => ({
      json: list.map(({ json }) => json), object: list.map(({ object }) => object),
    })) : value(field);
    return fc.option(one, { nil: undefined }).map((given) => ({ field, given }));
  });
  return fc.tuple(...entry).map((all) => {
    const json: Record<string, unknown> = {};
    const object: Record<string, unknown> = {};
    const oneofs = new Set<string>();
    for (const { field, given } of all) {
      if (given === undefined || (field.oneof !== undefined && oneofs.has(field.oneof))) continue;
      if (field.oneof !== undefined) oneofs.add(field.oneof);
      json[field.name] = given.json;
      object[field.name] = given.object;
    }
    return { json, object };
  });
}

/** Bytes as base64, and nothing that has its default: what the gateway says. */
function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

describe('JSON of messages', () => {
  it('is read as protobufjs reads the same message, for every method of etcd', () => {
    for (const [service, definition] of Object.entries(clientPackage())) {
      if ('format' in definition || !/^(etcdserverpb|v3lockpb|v3electionpb)\./.test(service)) continue;
      for (const [name, method] of Object.entries(definition)) {
        const { request } = schemas.ofMethod(`/${service}/${name}`) as MethodSchemas;
        fc.assert(fc.property(messages(request, 3), ({ json, object }) => {
          assert.deepEqual(method.requestDeserialize(read(request, json)), method.requestDeserialize(method.requestSerialize(object)));
        }), { numRuns: 25 });
      }
    }
  });

  it('is written so that it is read back, for every method of etcd', () => {
    for (const [service, definition] of Object.entries(clientPackage())) {
      if ('format' in definition || !/^(etcdserverpb|v3lockpb|v3electionpb)\./.test(service)) continue;
      for (const [name, method] of Object.entries(definition)) {
        const { response } = schemas.ofMethod(`/${service}/${name}`) as MethodSchemas;
        fc.assert(fc.property(messages(response, 3), ({ object }) => {
          const bytes = method.responseSerialize(object);
          const back = read(response, written(response, bytes));
          assert.deepEqual(method.responseDeserialize(back), method.responseDeserialize(bytes));
        }), { numRuns: 25 });
      }
    }
  });

  it('says what protobufjs says, but for what has its default', () => {
    const kvs = [{ key: Buffer.from('a'), value: Buffer.from([255, 0]), create_revision: '1', mod_revision: '2', version: '1', lease: '7587862094696378112' }];
    const header = { cluster_id: '18446744073709551615', member_id: '9007199254740993', revision: '0', raft_term: '2' };
    const bytes = range.method.responseSerialize({ header, kvs, more: false, count: '1' });
    assert.deepEqual(JSON.parse(written(range.schemas.response, bytes)), {
      header: { cluster_id: '18446744073709551615', member_id: '9007199254740993', raft_term: '2' }, kvs: plain(kvs), count: '1',
    });
    const { schemas: { response }, method } = of('/etcdserverpb.Maintenance/Alarm');
    assert.equal(written(response, method.responseSerialize({ alarms: [{ alarm: 'NOSPACE' }, { alarm: 77 }] })), '{"alarms":[{"alarm":"NOSPACE"},{"alarm":77}]}');
    const responses = [{ response_put: {} }, { response_txn: { succeeded: true, responses: [{ response_range: { count: '3' } }] } }];
    assert.deepEqual(JSON.parse(written(txn.schemas.response, txn.method.responseSerialize({ responses }))), { responses });
  });

  it('takes either name of a field, null for none, numbers of enums, and passes over what is unknown', () => {
    assert.deepEqual(rangeOf('{"range_end":"Yg==","key":"YQ=="}'), rangeOf('{"key":"YQ==","rangeEnd":"Yg==","x":{"y":[1,"}",{"z":null}]},"limit":null}'));
    assert.equal(rangeOf({ sort_order: 'DESCEND' })['sort_order'], 'DESCEND');
    assert.equal(rangeOf({ sortOrder: 2 })['sort_order'], 'DESCEND');
    assert.equal(rangeOf({ sort_order: 'SIDEWAYS' })['sort_order'], 'NONE');
    assert.deepEqual(read(range.schemas.request, ''), Buffer.alloc(0));
    assert.deepEqual(read(range.schemas.request, '{"key":"YQ=="} and so on'), read(range.schemas.request, '{"key":"YQ=="}'));
  });

  it('takes bytes in either alphabet, with padding or without, escaped or not', () => {
    for (const key of ['-_8=', '+/8=', '-_8', '+/8', '+\\/8=', '\\u002b/8']) {
      assert.deepEqual(rangeOf(`{"key":"${key}"}`)['key'], Buffer.from([0xfb, 0xff]), key);
    }
    for (const key of ['!!', 'a', '+_8=', 'YQ=', 'YQ===', 'é']) assert.match(why({ key }), /^proto: \(line 1:8\): invalid value for bytes field key: "/, key);
  });

  it('takes whole numbers exactly, however they are written', () => {
    for (const limit of ['7587862094696378112', '"7587862094696378112"', '7587862094696378112.0', '75878620946963781120e-1', '"7.587862094696378112E18"']) {
      assert.equal(rangeOf(`{"limit":${limit}}`)['limit'], '7587862094696378112', limit);
    }
    assert.equal(rangeOf('{"limit":-9223372036854775808}')['limit'], '-9223372036854775808');
    assert.equal(rangeOf('{"limit":0e999}')['limit'], '0');
    for (const limit of ['1.5', '9223372036854775808', '1e400', '1e-1', '" 1"', '"x"', '""', '"01"', 'true', '[1]']) {
      assert.match(why(`{"limit":${limit}}`), /^proto: \(line 1:10\): invalid value for int64 field limit: /, limit);
    }
    assert.equal(why('{"serializable":"true"}'), 'proto: (line 1:17): invalid value for bool field serializable: "true"');
    assert.equal(why('{"sort_order":2147483648}'), 'proto: (line 1:15): invalid value for enum field sortOrder: 2147483648');
  });

  it('is refused in the words of etcd where it is none, or says a thing twice', () => {
    assert.equal(why('{bad'), "invalid character 'b' looking for beginning of object key string");
    assert.equal(why('{"key":"Zm9v"'), 'unexpected EOF');
    assert.equal(why('{"key":"Zm9v'), 'unexpected EOF');
    assert.equal(why('{"key" "Zm9v"}'), "invalid character '\"' after object key");
    assert.equal(why('{"key":"Zm9v" "x":1}'), "invalid character '\"' after object key:value pair");
    assert.equal(why('{"key":}'), "invalid character '}' looking for beginning of value");
    assert.equal(why('null'), 'proto: syntax error (line 1:1): unexpected token null');
    assert.equal(why('[]'), 'proto: syntax error (line 1:1): unexpected token [');
    assert.equal(why('{"key":"Zm9v",\n "key":"Zm9v"}'), 'proto: (line 2:2): duplicate field "key"');
    assert.equal(why('{"range_end":"Zm9w","rangeEnd":"Zm9w"}'), 'proto: (line 1:21): duplicate field "rangeEnd"');
    assert.equal(why({ success: [null] }, txn.schemas.request), 'proto: syntax error (line 1:13): unexpected token null');
    assert.equal(
      why({ compare: [{ value: 'YQ==', version: '1' }] }, txn.schemas.request),
      'proto: (line 1:29): error parsing "version", oneof etcdserverpb.Compare.target_union is already set');
    assert.match(why('{"x":'.repeat(200)), /exceeded max recursion depth/);
    assert.match(why(`{"x":${'['.repeat(100_000)}`), /exceeded max recursion depth/);
    const nested = `{"success":[{"request_txn":`.repeat(60) + '{}' + '}]}'.repeat(60);
    assert.match(why(nested, txn.schemas.request), /exceeded max recursion depth/);
  });

  it('is refused where it is no JSON in the words of Go, byte by byte, before what it means is asked', () => {
    const refused: Readonly<Record<string, string>> = {
      'nonsense': "invalid character 'o' in literal null (expecting 'u')",
      '{"limit":nulL}': "invalid character 'L' in literal null (expecting 'l')",
      '{"limit":tru': 'unexpected EOF',
      '{"limit":01}': "invalid character '1' after object key:value pair",
      '{"limit":-}': "invalid character '}' in numeric literal",
      '{"limit":1.}': "invalid character '}' after decimal point in numeric literal",
      '{"limit":1e+}': "invalid character '}' in exponent of numeric literal",
      '{"limit":1.5.2}': "invalid character '.' after object key:value pair",
      '{"key":7,}': "invalid character '}' looking for beginning of object key string",
      '{"key":"\\x"}': "invalid character 'x' in string escape code",
      '{"key":"\\u00g0"}': "invalid character 'g' in \\u hexadecimal character escape",
      '{"key":"YQ==\n"}': "invalid character '\\n' in string literal",
      '{"key":"YQ\x01=="}': "invalid character '\\x01' in string literal",
      '{"x":"\\q"}': "invalid character 'q' in string escape code",
      '{"key":\x7f}': "invalid character '\\x7f' looking for beginning of value",
      '{"key":\xad}': "invalid character 'Â' looking for beginning of value",
      '\ufeff{}': "invalid character 'ï' looking for beginning of value",
      '{"key":"\\ud800"}': 'proto: unexpected EOF',
      '{"key":"\\ud800\\u0041"}': 'proto: syntax error (line 1:8): invalid escape code "\\\\u0041" in string',
      '{"key":"\\udc00\\ud800"}': 'proto: syntax error (line 1:8): invalid escape code "\\\\ud800" in string',
    };
    for (const [json, words] of Object.entries(refused)) assert.equal(why(json), words, json);
    assert.equal(why('{"min_mod_revision":"x"}'), 'proto: (line 1:21): invalid value for int64 field minModRevision: "x"');
  });

  it('of a large answer is written in pieces, and of a large request read in slices', () => {
    const kvs = Array.from({ length: 5_000 }, (_, i) => ({ key: Buffer.from(`k${i}`), value: Buffer.alloc(100), mod_revision: String(i) }));
    const pieces = [...writeJson(range.schemas.response, range.method.responseSerialize({ kvs, count: '5000' }))];
    assert.ok(pieces.length > 20 && pieces.every((piece) => piece.length < 40_000), `${pieces.length} pieces`);
    assert.equal((JSON.parse(pieces.join('')) as { kvs: unknown[] }).kvs.length, 5_000);
    const success = Array.from({ length: 5_000 }, () => ({ request_range: { key: 'YQ==' } }));
    const work = readJson(txn.schemas.request, text({ success, unknown: Array(5_000).fill(1) }));
    let slices = 1;
    while (work.next().done !== true) slices++;
    assert.ok(slices > 20, `${slices} slices`);
  });

  it('of several messages is cut into them, however its bytes come', () => {
    const values = ['{"a":"}{\\"]","b":[{}]}', '"x y"', '[1]', '{}', 'null', '{"c":{"d":"\\\\"}}'];
    const all = text(` ${values.join('\n')}\n{"cut":`);
    for (let size = 1; size <= all.length; size++) {
      const splitter = new ValueSplitter();
      const found: string[] = [];
      for (let at = 0; at < all.length; at += size) {
        found.push(...splitter.push(all.subarray(at, at + size)).map((value) => Buffer.from(value).toString().trim()));
      }
      assert.deepEqual(found, values, `in pieces of ${size}`);
      assert.equal(Buffer.from(splitter.rest()).toString().trim(), '{"cut":');
      assert.equal(splitter.heldBytes, 0);
    }
  });
});
