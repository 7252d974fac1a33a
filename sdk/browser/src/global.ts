// The script: the global `Peer`, with everything else hung on it.

import * as everything from './index.js';

const { Peer, default: _default, ...others } = everything;
Object.assign(Peer, others);
Object.assign(globalThis, { Peer, peerjs: everything });
