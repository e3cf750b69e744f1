import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.internal.GrpcUtil;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Drives an etcd endpoint with grpc-java and prints what it found as JSON. The messages are written
 * by hand, so that no generated code is needed: what is tried is the transport.
 */
public final class Main {
  interface Test {
    void run() throws Exception;
  }

  static final MethodDescriptor.Marshaller<byte[]> BYTES = new MethodDescriptor.Marshaller<>() {
    @Override public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  };

  static final StringBuilder CHECKS = new StringBuilder();
  static boolean failed = false;
  static ManagedChannel channel;
  static String prefix = "java/";
  static boolean small = false;

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static byte[] key(String name) {
    return utf8(prefix + name);
  }

  static byte[] join(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] part : parts) out.writeBytes(part);
    return out.toByteArray();
  }

  static byte[] varint(long n) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (; (n & ~0x7fL) != 0; n >>>= 7) out.write((int) (n & 0x7f | 0x80));
    out.write((int) n);
    return out.toByteArray();
  }

  static byte[] field(int number, byte[] value) {
    return join(varint(number << 3 | 2), varint(value.length), value);
  }

  static byte[] field(int number, long value) {
    return join(varint(number << 3), varint(value));
  }

  /** The values of a field; numbers as bytes of their varint. */
  static List<byte[]> values(byte[] message, int wanted) {
    List<byte[]> found = new ArrayList<>();
    int[] at = {0};
    while (at[0] < message.length) {
      long tag = readVarint(message, at);
      int from = at[0];
      if ((tag & 7) == 0) {
        readVarint(message, at);
      } else {
        int size = (int) readVarint(message, at);
        from = at[0];
        at[0] += size;
      }
      if (tag >>> 3 == wanted) found.add(Arrays.copyOfRange(message, from, at[0]));
    }
    return found;
  }

  static long readVarint(byte[] message, int[] at) {
    long n = 0;
    for (int shift = 0; ; shift += 7) {
      byte one = message[at[0]++];
      n |= (long) (one & 0x7f) << shift;
      if (one >= 0) return n;
    }
  }

  static MethodDescriptor<byte[], byte[]> method(String path, MethodType type) {
    return MethodDescriptor.<byte[], byte[]>newBuilder().setFullMethodName(path).setType(type).setRequestMarshaller(BYTES).setResponseMarshaller(BYTES).build();
  }

  static final MethodDescriptor<byte[], byte[]> PUT = method("etcdserverpb.KV/Put", MethodType.UNARY);
  static final MethodDescriptor<byte[], byte[]> RANGE = method("etcdserverpb.KV/Range", MethodType.UNARY);
  static final MethodDescriptor<byte[], byte[]> TXN = method("etcdserverpb.KV/Txn", MethodType.UNARY);
  static final MethodDescriptor<byte[], byte[]> DELETE = method("etcdserverpb.KV/DeleteRange", MethodType.UNARY);

  static CallOptions options() {
    return CallOptions.DEFAULT.withDeadlineAfter(20, TimeUnit.SECONDS).withWaitForReady();
  }

  static byte[] call(Channel on, MethodDescriptor<byte[], byte[]> method, byte[] request, CallOptions options) {
    return ClientCalls.blockingUnaryCall(on, method, options, request);
  }

  static byte[] put(byte[] key, byte[] value) {
    return call(channel, PUT, join(field(1, key), field(2, value)), options());
  }

  static byte[] get(byte[] key) {
    return valueOf(call(channel, RANGE, field(1, key), options()));
  }

  static byte[] valueOf(byte[] answer) {
    return values(values(answer, 2).get(0), 5).get(0);
  }

  static void expect(boolean ok, String message) {
    if (!ok) throw new AssertionError(message);
  }

  static Status statusOf(Test test) throws Exception {
    try {
      test.run();
      return Status.OK;
    } catch (StatusRuntimeException error) {
      return error.getStatus();
    }
  }

  static void check(String name, Test test) {
    String error = "";
    try {
      test.run();
    } catch (Throwable thrown) {
      failed = true;
      error = ",\"error\":\"" + thrown.toString().replaceAll("[^ -~]|[\"\\\\]", "?") + "\"";
    }
    if (CHECKS.length() > 0) CHECKS.append(',');
    CHECKS.append("{\"name\":\"").append(name).append("\",\"ok\":").append(error.isEmpty()).append(error).append('}');
  }

  static void connect(String endpoint, String ca) throws IOException {
    String address = endpoint.split("://")[1];
    channel = Grpc.newChannelBuilder(address, ca == null ? InsecureChannelCredentials.create() : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build())
        .maxInboundMessageSize(64 << 20).build();
  }

  static void run() {
    check("put and get keep every byte", () -> {
      byte[] all = new byte[256];
      for (int i = 0; i < 256; i++) all[i] = (byte) i;
      put(key("bytes"), all);
      expect(Arrays.equals(get(key("bytes")), all), "other bytes came back");
    });
    check("range with limit, order, keys only and count only", () -> {
      for (int i = 0; i < 5; i++) put(key("range/" + i), utf8("v"));
      byte[] all = join(field(1, key("range/")), field(2, key("range0")));
      byte[] answer = call(channel, RANGE, join(all, field(3, 2), field(5, 2), field(8, 1)), options());
      List<byte[]> kvs = values(answer, 2);
      expect(kvs.size() == 2 && Arrays.equals(values(kvs.get(0), 1).get(0), key("range/4")) && values(answer, 3).size() == 1, "other keys");
      byte[] counted = call(channel, RANGE, join(all, field(9, 1), field(7, 1)), options());
      expect(values(counted, 4).get(0)[0] == 5, "another count");
    });
    check("txn takes either branch", () -> {
      byte[] k = key("txn");
      put(k, utf8("a"));
      byte[] compare = join(field(2, 3), field(3, k), field(7, utf8("a")));
      byte[] request = join(field(1, compare), field(2, field(2, join(field(1, k), field(2, utf8("b"))))), field(3, field(1, field(1, k))));
      expect(values(call(channel, TXN, request, options()), 2).size() == 1, "the first");
      expect(values(call(channel, TXN, request, options()), 2).isEmpty(), "the second");
    });
    check("delete says what was there", () -> {
      put(key("gone/a"), utf8("1"));
      put(key("gone/b"), utf8("2"));
      byte[] answer = call(channel, DELETE, join(field(1, key("gone/")), field(2, key("gone0")), field(3, 1)), options());
      expect(values(answer, 2).get(0)[0] == 2 && values(answer, 3).size() == 2, "another answer");
    });
    check("a large value, both ways", () -> {
      byte[] value = new byte[small ? 40 << 10 : 1 << 20];
      for (int i = 0; i < value.length; i++) value[i] = (byte) (i % 251);
      put(key("large"), value);
      expect(Arrays.equals(get(key("large")), value), "other bytes came back");
    });
    check("a request beyond the limit is refused", () -> {
      if (small) return;
      Status large = statusOf(() -> put(key("too-large"), new byte[1600 << 10]));
      expect(large.getCode() == Status.Code.INVALID_ARGUMENT && large.getDescription().contains("request is too large"), large.toString());
      Status larger = statusOf(() -> put(key("too-large"), new byte[8 << 20]));
      expect(larger.getCode() == Status.Code.RESOURCE_EXHAUSTED && larger.getDescription().contains("larger than max"), larger.toString());
      get(key("bytes"));
    });
    check("compressed requests", () -> {
      byte[] value = utf8("compress me ".repeat(1000));
      call(channel, PUT, join(field(1, key("compressed")), field(2, value)), options().withCompression("gzip"));
      expect(Arrays.equals(get(key("compressed")), value), "other bytes came back");
    });
    check("many calls at once", () -> {
      int calls = small ? 20 : 500;
      List<Future<byte[]>> puts = new ArrayList<>();
      for (int i = 0; i < calls; i++) puts.add(ClientCalls.futureUnaryCall(channel.newCall(PUT, options()), join(field(1, key("many/" + i)), field(2, utf8("" + i)))));
      for (Future<byte[]> one : puts) one.get();
      List<Future<byte[]>> gets = new ArrayList<>();
      for (int i = 0; i < calls; i++) gets.add(ClientCalls.futureUnaryCall(channel.newCall(RANGE, options()), field(1, key("many/" + i))));
      for (int i = 0; i < calls; i++) expect(new String(valueOf(gets.get(i).get()), StandardCharsets.UTF_8).equals("" + i), "call " + i);
    });
    check("calls that are cancelled leave the connection well", () -> {
      for (int i = 0; i < (small ? 5 : 100); i++) {
        Future<byte[]> future = ClientCalls.futureUnaryCall(channel.newCall(RANGE, options()), field(1, key("large")));
        if (i % 3 > 0) Thread.sleep(0, i * 10_000);
        future.cancel(true);
      }
      get(key("bytes"));
    });
    check("deadlines", () -> {
      for (long micros : new long[] {1, 50, 1000}) {
        Status status = statusOf(() -> call(channel, RANGE, field(1, key("large")), CallOptions.DEFAULT.withDeadlineAfter(micros, TimeUnit.MICROSECONDS)));
        expect(status.isOk() || status.getCode() == Status.Code.DEADLINE_EXCEEDED, status.toString());
      }
      get(key("bytes"));
    });
    check("metadata of any kind and size", () -> {
      Metadata metadata = new Metadata();
      metadata.put(Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
      metadata.put(Metadata.Key.of("key-bin", Metadata.BINARY_BYTE_MARSHALLER), new byte[] {0, 1, -1, -2});
      metadata.put(Metadata.Key.of("long", Metadata.ASCII_STRING_MARSHALLER), "m".repeat(3000));
      metadata.put(Metadata.Key.of("twice", Metadata.ASCII_STRING_MARSHALLER), "1");
      metadata.put(Metadata.Key.of("twice", Metadata.ASCII_STRING_MARSHALLER), "2");
      for (int i = 0; i < 140; i++) metadata.put(Metadata.Key.of("name-" + i, Metadata.ASCII_STRING_MARSHALLER), "value-" + i);
      Channel with = ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
      for (int i = 0; i < 3; i++) call(with, RANGE, field(1, key("bytes")), options());
    });
    check("errors in etcd's words", () -> {
      Status future = statusOf(() -> call(channel, RANGE, join(field(1, key("bytes")), field(4, 1L << 40)), options()));
      expect(future.getCode() == Status.Code.OUT_OF_RANGE && future.getDescription().contains("future revision"), future.toString());
      Status empty = statusOf(() -> put(new byte[0], utf8("x")));
      expect("etcdserver: key is not provided".equals(empty.getDescription()), empty.toString());
    });
    check("unknown methods", () -> {
      Status status = statusOf(() -> call(channel, method("no.Such/Method", MethodType.UNARY), new byte[0], options()));
      expect(status.getCode() == Status.Code.UNIMPLEMENTED, status.toString());
    });
    check("a stream that is cancelled", () -> {
      ClientCall<byte[], byte[]> watch = channel.newCall(method("grpc.health.v1.Health/Watch", MethodType.SERVER_STREAMING), options());
      Iterator<byte[]> answers = ClientCalls.blockingServerStreamingCall(channel, method("grpc.health.v1.Health/Watch", MethodType.SERVER_STREAMING), CallOptions.DEFAULT.withDeadlineAfter(300, TimeUnit.MILLISECONDS), new byte[0]);
      expect(answers.next()[1] == 1, "not serving");
      Status status = statusOf(answers::next);
      expect(status.getCode() == Status.Code.DEADLINE_EXCEEDED, status.toString());
      watch.cancel("not begun", null);
    });
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, String> flags = new TreeMap<>();
    for (int i = 0; i < arguments.length; i++) {
      if (arguments[i].equals("--small")) small = true;
      else flags.put(arguments[i], arguments[++i]);
    }
    prefix = flags.getOrDefault("--prefix", prefix);
    connect(flags.getOrDefault("--endpoint", "http://127.0.0.1:2379"), flags.get("--ca"));
    run();
    channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    System.out.println("{\"client\":\"grpc-java " + GrpcUtil.getGrpcBuildVersion().getImplementationVersion() + "\",\"checks\":[" + CHECKS + "]}");
    System.exit(failed ? 1 : 0);
  }
}
