import { writeArchive, extractArchive } from "/work/main/packages/convoy/src/backups/archive/index.ts";
import { silentLog } from "/work/main/packages/convoy/src/host/log.ts";
import fs from "node:fs"; import {execFileSync} from "node:child_process";
const ctx=()=>({signal:new AbortController().signal,log:silentLog(),progress(){}});
const W="/tmp/ab/w"; const mode=process.argv[2];
let peak=0; setInterval(()=>{peak=Math.max(peak,process.memoryUsage.rss())},20).unref();
let max=0; { let last=performance.now(); setInterval(()=>{const n=performance.now(); max=Math.max(max,n-last-5); last=n},5).unref(); }
const t=performance.now();
if(mode==="write"){ const a=writeArchive({source:{directory:W+"/snap",manifest:W+"/m"}},ctx());
const fh=await fs.promises.open(W+"/a.bak","w"); for await(const c of a.body) await fh.write(c); await fh.sync(); await fh.close(); }
else { const h=await fs.promises.open(W+"/a.bak"); const b=Buffer.alloc(1<<20);
 const body=(async function*(){ for(;;){const {bytesRead:n}=await h.read(b,0,1<<20); if(!n)break; yield b.subarray(0,n)} await h.close()})();
 await extractArchive({body,target:{kind:"tree",directory:process.argv[3],reserveBytes:1e9}},ctx()); }
const c=process.cpuUsage(); console.log(mode,((performance.now()-t)/1000).toFixed(2),"cpu",(c.user/1e6).toFixed(1),(c.system/1e6).toFixed(1),"peak MB",(peak/1e6).toFixed(0),"loop delay ms",max.toFixed(1));
process.exit();
