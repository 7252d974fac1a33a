// Lines to paste, with this server's address and key in them.

export interface Place {
  // Of the page: `https://example.com:9000/peers/`.
  page: URL;
  key: string;
  // Whether the server has STUN and TURN.
  ice: boolean;
  // Whom they say hello to.
  peer: string;
}

const quoted = (text: string): string => JSON.stringify(text);

// For our own script and module, which know where they were loaded from.
export function script({ page, key, peer }: Place): string {
  return [
    `<script src="${page.origin}${page.pathname}peerway.js"></script>`,
    '<script>',
    `  const peer = new Peer(${key === 'peerjs' ? '' : `{ key: ${quoted(key)} }`});`,
    `  const connection = peer.connect(${quoted(peer)});`,
    '  connection.on("open", () => connection.send("hello"));',
    '  connection.on("data", (data) => console.log(data));',
    '',
    '  peer.on("call", (call) => call.answer());',
    '</script>',
  ].join('\n');
}

export function module(place: Place): string {
  return [
    '// npm install peerway, or without npm:',
    `// import { Peer } from "${place.page.origin}${place.page.pathname}peerway.mjs";`,
    'import { Peer } from "peerway";',
    '',
    'const peer = new Peer({',
    ...address(place).map((line) => `  ${line},`),
    '});',
    'await peer.ready;',
    '',
    `const connection = peer.connect(${quoted(place.peer)});`,
    'await connection.ready;',
    'await connection.send("hello");',
    '',
    'const room = peer.joinRoom("lobby", { mode: "sfu" });',
    'room.on("stream", (stream) => console.log(stream.peerId, stream));',
    'room.on("data", ({ src, data }) => console.log(src, data));',
  ].join('\n');
}

export function peerjs(place: Place): string {
  const { page, key, ice, peer } = place;
  const options = [...address(place), ...(ice ? ['config: { iceServers }'] : [])];
  return [
    '// npm install peerjs',
    'import { Peer } from "peerjs";',
    '',
    ...(ice
      ? [
          "// This server's STUN and TURN, with a credential for a day.",
          `const ice = await fetch("${page.origin}/v1/ice?key=${encodeURIComponent(key)}");`,
          'const { iceServers } = await ice.json();',
          '',
        ]
      : []),
    'const peer = new Peer({',
    ...options.map((line) => `  ${line},`),
    '});',
    'peer.on("open", () => {',
    `  const connection = peer.connect(${quoted(peer)});`,
    '  connection.on("open", () => connection.send("hello"));',
    '  connection.on("data", (data) => console.log(data));',
    '});',
  ].join('\n');
}

// skyway-js asks for the root of a host, whatever the path.
export function skyway({ page, key, peer }: Place): string {
  return [
    '<script src="https://cdn.jsdelivr.net/npm/skyway-js@4.4.5/dist/skyway.min.js"></script>',
    '<script>',
    '  const peer = new Peer({',
    `    key: ${quoted(key)},`,
    `    host: ${quoted(page.hostname)},`,
    `    port: ${portOf(page)},`,
    `    secure: ${page.protocol === 'https:'},`,
    '  });',
    '  peer.on("open", () => {',
    '    // Data between SkyWay and other pages: "none" or "json".',
    `    const connection = peer.connect(${quoted(peer)}, { serialization: "json" });`,
    '    connection.on("open", () => connection.send("hello"));',
    '',
    '    const room = peer.joinRoom("lobby", { mode: "sfu" });',
    '    room.on("data", ({ src, data }) => console.log(src, data));',
    '  });',
    '</script>',
  ].join('\n');
}

function address({ page, key }: Place): string[] {
  const lines = [`host: ${quoted(page.hostname)}`, `port: ${portOf(page)}`, `path: ${quoted(page.pathname)}`];
  if (key !== 'peerjs') lines.push(`key: ${quoted(key)}`);
  return [...lines, `secure: ${page.protocol === 'https:'}`];
}

function portOf(page: URL): number {
  return Number(page.port) || (page.protocol === 'https:' ? 443 : 80);
}
