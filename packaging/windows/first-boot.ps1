# SPDX-License-Identifier: Apache-2.0
<#
.SYNOPSIS
First boot of the WazabiEDR driver on a real Windows test machine: loads it, tries every request and every callback,
stops it, and writes one table of results to paste into docs/unproven.md.

.DESCRIPTION
THIS SCRIPT HAS NEVER RUN ON WINDOWS. It was written and its C# part was compiled and fed golden records where no
Windows is at hand. Expect to mend it; a failed check may be the script's fault as well as the driver's.

USE A VIRTUAL MACHINE WITH A SNAPSHOT, never a machine that somebody needs: a fault of a driver stops the whole system.
The script starts harmless processes, a thread in a process of its own, registers and removes a test certificate, a
service, a few registry values under the current user's Run key and a local user, and takes all of that back at the end.
Anti-malware software may take exception to it; that is what it looks like from outside.

The driver speaks for itself: records are decoded here by a decoder written from docs/wire.md alone.

Before: an elevated 64-bit Windows PowerShell 5.1, Windows 10 1809 or later, Secure Boot off, and
    bcdedit /set testsigning on        (then restart)
Normal run, from the folder with WazabiEDR.sys, .inf, .cat and test-ca.cer (build/linux/driver/signed):
    powershell -ExecutionPolicy Bypass -File first-boot.ps1
With Driver Verifier, which is the run that counts:
    powershell -ExecutionPolicy Bypass -File first-boot.ps1 -Verifier
    restart, then
    powershell -ExecutionPolicy Bypass -File first-boot.ps1 -Resume
If the machine stops (bug check) and comes up again, run it with -Resume once more: it says so in the table, with the
names of the dumps. If it does not come up: restore the snapshot, or safe mode and `verifier /reset`.

.PARAMETER Package
Folder with the signed driver; default: the script's own.
.PARAMETER Result
The file with the table; default: first-boot-result.md beside the driver.
.PARAMETER Verifier
Only switches Driver Verifier's standard checks on for WazabiEDR.sys and ends: they need a restart.
.PARAMETER Resume
Goes on after that restart; Verifier is switched off again at the end (from the next restart on).
.PARAMETER Parents
How many parents the process tree has, each starting -Children children: 40 and 100.
.PARAMETER LoadSystemDriver
Also starts a stopped driver of Windows (cdfs, udfs or exfat) to see a kernel image load; it stays until the restart.
.PARAMETER CleanUp
Only takes back what an earlier run left.
#>
[CmdletBinding()]
param(
    [string]$Package = '',
    [string]$Result = '',
    [switch]$Verifier,
    [switch]$Resume,
    [int]$Parents = 40,
    [int]$Children = 100,
    [switch]$LoadSystemDriver,
    [switch]$CleanUp
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$Service = 'WazabiEDR'
$Installed = Join-Path $env:SystemRoot 'System32\drivers\WazabiEDR.sys'
$StateFolder = Join-Path $env:ProgramData 'WazabiEDR-first-boot'
$StateFile = Join-Path $StateFolder 'state.json'
$TestUser = 'wedr-first-boot'
$RunKey = 'Software\Microsoft\Windows\CurrentVersion\Run'
$MachineKey = 'SOFTWARE\WedrFirstBoot'
$HiveName = 'WedrFirstBoot'
if (-not $Package) { $Package = $PSScriptRoot }
if (-not $Result) { $Result = Join-Path $Package 'first-boot-result.md' }
$Package = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Package)
$Result = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Result)

# ---- The part in C#: device, reader, decoder, and calls that PowerShell does not have. C# 5, for .NET Framework's compiler.
$Source = @'
using System;
using System.Collections;
using System.Collections.Generic;
using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

namespace WedrFirstBoot
{
    // One record of wire version 7, by docs/wire.md.
    public sealed class Record
    {
        public ushort Version, Type, FixedSize, Flags;
        public uint Size, TruncCount;
        public ulong Seq, DropCount;
        public long Time;
        public byte Os, Stream;
        public string Name;
        public readonly Dictionary<string, object> Fields = new Dictionary<string, object>();
        public readonly Dictionary<string, int> StringFlags = new Dictionary<string, int>();

        public object Get(string field)
        {
            switch (field)
            {
                case "type": return Type;
                case "stream": return Stream;
                case "existing": return (byte)(Flags & 1);
                case "seq": return Seq;
                case "time": return Time;
            }
            object value;
            return Fields.TryGetValue(field, out value) ? value : null;
        }

        public override string ToString()
        {
            StringBuilder s = new StringBuilder(Name + " seq " + Seq + " stream " + Stream);
            foreach (KeyValuePair<string, object> f in Fields)
            {
                string text = f.Value as string;
                byte[] bytes = f.Value as byte[];
                s.Append(' ').Append(f.Key).Append('=');
                s.Append(text != null ? "\"" + text + "\"" : bytes != null ? BitConverter.ToString(bytes)
                         : Convert.ToString(f.Value, CultureInfo.InvariantCulture));
            }
            return s.ToString();
        }
    }

    public static class Wire
    {
        public const int HeaderSize = 48;
        public const int RecordMax = 131072;

        // type, name, fixed size on Windows, then field KIND offset. tests/driver compares it with docs/wire.md.
        static readonly string[] Table = {
            "1 process_create 125 pid U32 48 parent_pid U32 52 creating_pid U32 56 process_key KEY 60 parent_key KEY 68 image_path STR 76 command_line STR 84 parent_image_path STR 92 cwd STR 100 user_sid STR 108 integrity_level U32 116 session_id U32 120 elevated BOOL 124",
            "2 process_terminate 64 pid U32 48 exit_code I32 52 process_key KEY 56",
            "3 module_load 88 pid U32 48 process_key KEY 52 image_base U64 60 image_size U64 68 image_path STR 76 signature_level U32 84",
            "4 registry_write 114 pid U32 48 process_key KEY 52 op REGISTRY_OP 60 value_type U32 62 data_size U32 66 status I32 70 key_path STR 74 value_name STR 82 new_name STR 90 data_preview BYTES 98 source_file STR 106",
            "5 thread_create 77 pid U32 48 tid U32 52 creating_pid U32 56 process_key KEY 60 creating_key KEY 68 first_thread BOOL 76",
            "6 thread_exit 64 pid U32 48 tid U32 52 process_key KEY 56",
            "7 process_handle_access 94 source_pid U32 48 target_pid U32 52 target_tid U32 56 source_key KEY 60 target_key KEY 68 op HANDLE_OP 76 desired_access U32 78 original_desired_access U32 82 duplicate_source_pid U32 86 duplicate_target_pid U32 90",
        };

        sealed class Layout
        {
            public string Name;
            public int FixedSize;
            public readonly List<string> Field = new List<string>();
            public readonly List<string> Kind = new List<string>();
            public readonly List<int> Offset = new List<int>();
        }

        static readonly Dictionary<int, Layout> Layouts = ReadTable();

        static Dictionary<int, Layout> ReadTable()
        {
            Dictionary<int, Layout> all = new Dictionary<int, Layout>();
            foreach (string row in Table)
            {
                string[] word = row.Split(' ');
                Layout l = new Layout();
                l.Name = word[1];
                l.FixedSize = int.Parse(word[2], CultureInfo.InvariantCulture);
                for (int i = 3; i < word.Length; i += 3)
                {
                    l.Field.Add(word[i]);
                    l.Kind.Add(word[i + 1]);
                    l.Offset.Add(int.Parse(word[i + 2], CultureInfo.InvariantCulture));
                }
                all.Add(int.Parse(word[0], CultureInfo.InvariantCulture), l);
            }
            return all;
        }

        // Decodes the record at `at`. Null when it is as docs/wire.md says, else what is wrong. `size` is the record's
        // size once it is known to lie within the bytes, else 0.
        public static string Decode(byte[] data, int at, int end, out Record r, out int size)
        {
            r = null;
            size = 0;
            if (end - at < HeaderSize) { return "shorter than a header"; }
            Record x = new Record();
            x.Version = BitConverter.ToUInt16(data, at);
            if (x.Version != 7) { return "version " + x.Version; }
            x.Type = BitConverter.ToUInt16(data, at + 2);
            x.Size = BitConverter.ToUInt32(data, at + 4);
            if (x.Size < HeaderSize || x.Size > RecordMax) { return "size " + x.Size; }
            if (x.Size > end - at) { return "size " + x.Size + ", " + (end - at) + " bytes are there"; }
            size = (int)x.Size;
            x.Seq = BitConverter.ToUInt64(data, at + 8);
            x.Time = BitConverter.ToInt64(data, at + 16);
            x.DropCount = BitConverter.ToUInt64(data, at + 24);
            x.TruncCount = BitConverter.ToUInt32(data, at + 32);
            x.FixedSize = BitConverter.ToUInt16(data, at + 36);
            x.Os = data[at + 38];
            x.Stream = data[at + 39];
            x.Flags = BitConverter.ToUInt16(data, at + 40);
            Layout l;
            if (x.Os != 1) { return "os " + x.Os; }
            if (!Layouts.TryGetValue(x.Type, out l)) { return "type " + x.Type; }
            x.Name = l.Name;
            if (x.FixedSize < l.FixedSize || x.FixedSize > x.Size) { return l.Name + ": fixed size " + x.FixedSize; }
            if (BitConverter.ToUInt16(data, at + 42) != 0 || BitConverter.ToUInt32(data, at + 44) != 0)
            {
                return l.Name + ": reserved parts are not 0";
            }
            if ((x.Flags & ~1) != 0) { return l.Name + ": flags " + x.Flags; }
            if (x.Stream > 1) { return l.Name + ": stream " + x.Stream; }
            if (x.Seq == 0) { return l.Name + ": seq 0"; }
            for (int i = 0; i < l.Field.Count; i++)
            {
                string bad = ReadField(data, at, x, l.Field[i], l.Kind[i], l.Offset[i]);
                if (bad != null) { return l.Name + "." + l.Field[i] + ": " + bad; }
            }
            r = x;
            return null;
        }

        static string ReadField(byte[] data, int at, Record x, string field, string kind, int offset)
        {
            int p = at + offset;
            switch (kind)
            {
                case "U32": x.Fields[field] = BitConverter.ToUInt32(data, p); return null;
                case "I32": x.Fields[field] = BitConverter.ToInt32(data, p); return null;
                case "U64":
                case "KEY": x.Fields[field] = BitConverter.ToUInt64(data, p); return null;
                case "BOOL":
                    x.Fields[field] = data[p];
                    return data[p] > 1 ? "BOOL " + data[p] : null;
                case "STR":
                case "BYTES": return ReadString(data, at, x, field, kind == "STR", p);
                default: x.Fields[field] = BitConverter.ToUInt16(data, p); return null; // a label set
            }
        }

        static string ReadString(byte[] data, int at, Record x, string field, bool text, int p)
        {
            uint from = BitConverter.ToUInt32(data, p);
            int len = BitConverter.ToUInt16(data, p + 4);
            int flags = BitConverter.ToUInt16(data, p + 6);
            if ((flags & ~(text ? 0x3f : 0x09)) != 0) { return "flags " + flags; }
            if (len > 0 && (from < x.FixedSize || from > x.Size || len > x.Size - from)) { return "lies outside"; }
            x.StringFlags[field] = flags;
            if (!text)
            {
                byte[] copy = new byte[len];
                if (len > 0) { Array.Copy(data, at + (int)from, copy, 0, len); }
                x.Fields[field] = copy;
                return null;
            }
            if (len == 0) { x.Fields[field] = ""; return null; }
            bool wide = (flags & 4) != 0;
            if (wide && len % 2 != 0) { return "odd length"; }
            string s = (wide ? Encoding.Unicode : Encoding.UTF8).GetString(data, at + (int)from, len);
            x.Fields[field] = s;
            return s.IndexOf('\0') >= 0 ? "holds a NUL" : null;
        }

        // True when every condition holds. The key is a field's name, with an operator behind it: ~ holds the text, $ ends
        // with it, & has all of these bits, ! is not; none: equal. Text without case.
        public static bool Matches(Record r, IDictionary conditions)
        {
            foreach (DictionaryEntry c in conditions)
            {
                string key = (string)c.Key;
                char op = key[key.Length - 1];
                if ("~$&!".IndexOf(op) >= 0) { key = key.Substring(0, key.Length - 1); } else { op = '='; }
                object have = r.Get(key);
                if (have == null || !Holds(have, op, Convert.ToString(c.Value, CultureInfo.InvariantCulture)))
                {
                    return false;
                }
            }
            return true;
        }

        static bool Holds(object have, char op, string want)
        {
            string text = Convert.ToString(have, CultureInfo.InvariantCulture);
            switch (op)
            {
                case '~': return text.IndexOf(want, StringComparison.OrdinalIgnoreCase) >= 0;
                case '$': return text.EndsWith(want, StringComparison.OrdinalIgnoreCase);
                case '!': return !text.Equals(want, StringComparison.OrdinalIgnoreCase);
                case '&':
                    ulong bits = ulong.Parse(want, CultureInfo.InvariantCulture);
                    return (Convert.ToUInt64(have, CultureInfo.InvariantCulture) & bits) == bits;
                default: return text.Equals(want, StringComparison.OrdinalIgnoreCase);
            }
        }
    }

    // What GET_STATS answers, by wedr/wire/ioctl.h.
    public sealed class Stats
    {
        public const int Bytes = 608;
        public uint Size, Parked, FilterGeneration, Processes;
        public ushort IoctlVersion;
        public ulong Epoch, Completed, Cancelled, Refused, Bugs, Untracked;
        public string BootId;
        public long StartTime;
        public readonly ulong[] Produced = new ulong[2], Delivered = new ulong[2], Lost = new ulong[2],
            Truncated = new ulong[2], Filtered = new ulong[2], Queued = new ulong[2], QueuedPeak = new ulong[2];
        public readonly int[] State = new int[8], Status = new int[8];
        public readonly ulong[] Calls = new ulong[8], Events = new ulong[8], Failed = new ulong[8];

        public Stats(byte[] d)
        {
            if (d.Length < Bytes) { throw new ArgumentException("GET_STATS answered " + d.Length + " bytes"); }
            Size = BitConverter.ToUInt32(d, 0);
            IoctlVersion = BitConverter.ToUInt16(d, 4);
            if (IoctlVersion != 1 || d[6] != 2 || d[7] < 5 || d[7] > 8) { throw new ArgumentException("GET_STATS: another version"); }
            Epoch = BitConverter.ToUInt64(d, 8);
            BootId = BitConverter.ToString(d, 16, 16);
            StartTime = BitConverter.ToInt64(d, 32);
            Parked = BitConverter.ToUInt32(d, 40);
            FilterGeneration = BitConverter.ToUInt32(d, 44);
            Completed = BitConverter.ToUInt64(d, 48);
            Cancelled = BitConverter.ToUInt64(d, 56);
            Refused = BitConverter.ToUInt64(d, 64);
            Bugs = BitConverter.ToUInt64(d, 72);
            for (int i = 0; i < 2; i++)
            {
                int at = 80 + 128 * i;
                Produced[i] = BitConverter.ToUInt64(d, at);
                Delivered[i] = BitConverter.ToUInt64(d, at + 8);
                for (int reason = 0; reason < 8; reason++) { Lost[i] += BitConverter.ToUInt64(d, at + 16 + 8 * reason); }
                Truncated[i] = BitConverter.ToUInt64(d, at + 80);
                Filtered[i] = BitConverter.ToUInt64(d, at + 88);
                Queued[i] = BitConverter.ToUInt32(d, at + 104);
                QueuedPeak[i] = BitConverter.ToUInt32(d, at + 108);
            }
            for (int i = 0; i < 8; i++)
            {
                int at = 336 + 32 * i;
                State[i] = d[at];
                Status[i] = BitConverter.ToInt32(d, at + 4);
                Calls[i] = BitConverter.ToUInt64(d, at + 8);
                Events[i] = BitConverter.ToUInt64(d, at + 16);
                Failed[i] = BitConverter.ToUInt64(d, at + 24);
            }
            Processes = BitConverter.ToUInt32(d, 592);
            Untracked = BitConverter.ToUInt64(d, 600);
        }

        // Empty when produced = delivered + queued + lost in both lanes.
        public string Imbalance()
        {
            string s = "";
            for (int i = 0; i < 2; i++)
            {
                if (Produced[i] != Delivered[i] + Queued[i] + Lost[i])
                {
                    s += " lane " + i + ": produced " + Produced[i] + ", delivered " + Delivered[i] + ", queued " + Queued[i] +
                        ", lost " + Lost[i];
                }
            }
            return s;
        }
    }

    static class Native
    {
        [StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
        public struct StartupInfo
        {
            public int cb;
            public string reserved, desktop, title;
            public int x, y, xSize, ySize, xChars, yChars, fill, flags;
            public short show, reserved2;
            public IntPtr reserved3, input, output, error;
        }

        [StructLayout(LayoutKind.Sequential)]
        public struct ProcessInformation
        {
            public IntPtr process, thread;
            public uint pid, tid;
        }

        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        public static extern IntPtr CreateFileW(string name, uint access, uint share, IntPtr security, uint how, uint flags, IntPtr template);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern bool CloseHandle(IntPtr handle);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern bool DeviceIoControl(IntPtr device, uint code, IntPtr input, uint inputLength, IntPtr output, uint outputLength, IntPtr returned, IntPtr overlapped);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern bool GetOverlappedResult(IntPtr device, IntPtr overlapped, out uint bytes, bool wait);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern bool CancelIoEx(IntPtr device, IntPtr overlapped);
        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        public static extern IntPtr CreateEventW(IntPtr security, bool manual, bool set, string name);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern bool SetEvent(IntPtr handle);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern uint WaitForSingleObject(IntPtr handle, uint ms);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern uint WaitForMultipleObjects(uint count, IntPtr[] handles, bool all, uint ms);
        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        public static extern bool CreateProcessW(string application, StringBuilder commandLine, IntPtr processSecurity, IntPtr threadSecurity, bool inherit, uint flags, IntPtr environment, string folder, ref StartupInfo startup, out ProcessInformation info);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern bool TerminateProcess(IntPtr process, uint code);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern bool GetExitCodeProcess(IntPtr process, out uint code);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern IntPtr OpenProcess(uint access, bool inherit, uint pid);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern IntPtr OpenThread(uint access, bool inherit, uint tid);
        [DllImport("kernel32.dll")]
        public static extern IntPtr GetCurrentProcess();
        [DllImport("kernel32.dll")]
        public static extern uint GetCurrentProcessId();
        [DllImport("kernel32.dll")]
        public static extern uint GetCurrentThreadId();
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern bool DuplicateHandle(IntPtr fromProcess, IntPtr handle, IntPtr toProcess, out IntPtr copy, uint access, bool inherit, uint options);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern IntPtr CreateRemoteThread(IntPtr process, IntPtr security, UIntPtr stack, IntPtr start, IntPtr parameter, uint flags, out uint tid);
        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        public static extern IntPtr GetModuleHandleW(string name);
        [DllImport("kernel32.dll", CharSet = CharSet.Ansi, SetLastError = true)]
        public static extern IntPtr GetProcAddress(IntPtr module, string name);
        [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        public static extern IntPtr LoadLibraryW(string name);
        [DllImport("kernel32.dll", SetLastError = true)]
        public static extern bool FreeLibrary(IntPtr module);
        [DllImport("advapi32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
        public static extern bool LogonUserW(string user, string domain, string password, int type, int provider, out IntPtr token);
        [DllImport("advapi32.dll", SetLastError = true)]
        public static extern bool ImpersonateLoggedOnUser(IntPtr token);
        [DllImport("advapi32.dll", SetLastError = true)]
        public static extern bool RevertToSelf();
        [DllImport("advapi32.dll", CharSet = CharSet.Unicode)]
        public static extern int RegOpenKeyExW(IntPtr root, string path, int options, int access, out IntPtr key);
        [DllImport("advapi32.dll", CharSet = CharSet.Unicode)]
        public static extern int RegRenameKey(IntPtr key, string name, string newName);
        [DllImport("advapi32.dll")]
        public static extern int RegCloseKey(IntPtr key);
        [DllImport("ntdll.dll")]
        public static extern int NtQuerySystemInformation(int what, ref ulong info, int length, out int returned);
    }

    // A request under way; memory is given back only when it is done.
    public sealed class Request : IDisposable
    {
        const int Pending = 997;
        readonly IntPtr device, done, overlapped, input, output;
        readonly int outputLength;
        public readonly int Error; // of the call itself: 0, 997 (under way), or why it failed

        public Request(IntPtr device, uint code, byte[] data, int outputLength)
        {
            int inputLength = data == null ? 0 : data.Length;
            this.device = device;
            this.outputLength = outputLength;
            done = Native.CreateEventW(IntPtr.Zero, true, false, null);
            overlapped = Marshal.AllocHGlobal(32);
            for (int i = 0; i < 24; i += 8) { Marshal.WriteInt64(overlapped, i, 0); }
            Marshal.WriteIntPtr(overlapped, 24, done);
            input = Marshal.AllocHGlobal(inputLength + 8);
            output = Marshal.AllocHGlobal(outputLength + 8);
            if (inputLength > 0) { Marshal.Copy(data, 0, input, inputLength); }
            bool ok = Native.DeviceIoControl(device, code, inputLength > 0 ? input : IntPtr.Zero, (uint)inputLength,
                outputLength > 0 ? output : IntPtr.Zero, (uint)outputLength, IntPtr.Zero, overlapped);
            Error = ok ? 0 : Marshal.GetLastWin32Error();
        }

        public IntPtr Done { get { return done; } }
        public bool IsPending { get { return Error == Pending && Native.WaitForSingleObject(done, 0) != 0; } }
        // NTSTATUS and Information that the kernel wrote.
        public uint Status { get { return (uint)Marshal.ReadInt64(overlapped, 0); } }
        public int Information { get { return (int)Math.Min(Marshal.ReadInt64(overlapped, 8), outputLength); } }

        public bool Wait(int ms)
        {
            return Error != Pending || Native.WaitForSingleObject(done, (uint)ms) == 0;
        }

        public bool Cancel()
        {
            return Native.CancelIoEx(device, overlapped);
        }

        // The Windows error code of a request that is done.
        public int Outcome()
        {
            uint bytes;
            if (Error != Pending) { return Error; }
            return Native.GetOverlappedResult(device, overlapped, out bytes, false) ? 0 : Marshal.GetLastWin32Error();
        }

        public byte[] Data()
        {
            byte[] d = new byte[Information];
            Marshal.Copy(output, d, 0, d.Length);
            return d;
        }

        public void Dispose()
        {
            if (IsPending)
            {
                Cancel();
                if (!Wait(10000)) { return; } // the kernel may still write there: leaked on purpose
            }
            Marshal.FreeHGlobal(overlapped);
            Marshal.FreeHGlobal(input);
            Marshal.FreeHGlobal(output);
            Native.CloseHandle(done);
        }
    }

    public sealed class Device : IDisposable
    {
        public const uint GetEvent = 0x00226000, GetEvents = 0x00226004, GetStats = 0x00226008, GetVersion = 0x0022600c,
            SetFilter = 0x0022e010;
        public IntPtr Handle = new IntPtr(-1);
        public byte[] Answer = new byte[0];

        // 0, or the Windows error code.
        public static int TryOpen(bool write, out Device device)
        {
            IntPtr h = Native.CreateFileW(@"\\.\WazabiEDR", write ? 0xC0000000u : 0x80000000u, 0, IntPtr.Zero, 3, 0x40000000,
                IntPtr.Zero);
            device = null;
            if (h == new IntPtr(-1)) { return Marshal.GetLastWin32Error(); }
            device = new Device();
            device.Handle = h;
            return 0;
        }

        public static int OpenError(bool write)
        {
            Device d;
            int error = TryOpen(write, out d);
            if (d != null) { d.Dispose(); }
            return error;
        }

        public static Device Open()
        {
            Device d;
            int error = TryOpen(true, out d);
            if (error != 0) { throw new Win32Exception(error, "the device cannot be opened: " + new Win32Exception(error).Message); }
            return d;
        }

        // As another user: what opening says there. Negative: the logon itself failed.
        public static int OpenErrorAs(string user, string password)
        {
            IntPtr token;
            if (!Native.LogonUserW(user, ".", password, 3, 0, out token)) { return -Marshal.GetLastWin32Error(); }
            try
            {
                if (!Native.ImpersonateLoggedOnUser(token)) { return -Marshal.GetLastWin32Error(); }
                try { return OpenError(false); }
                finally { Native.RevertToSelf(); }
            }
            finally { Native.CloseHandle(token); }
        }

        // Asks and waits; the answer is in Answer. Error 258: no answer in time, and the request was cancelled.
        public int Control(uint code, byte[] input, int outputLength, int ms)
        {
            using (Request r = new Request(Handle, code, input, outputLength))
            {
                if (!r.Wait(ms)) { Answer = new byte[0]; return 258; }
                int error = r.Outcome();
                Answer = error == 0 || error == 234 ? r.Data() : new byte[0];
                return error;
            }
        }

        public Stats ReadStats()
        {
            int error = Control(GetStats, null, Stats.Bytes, 5000);
            if (error != 0) { throw new Win32Exception(error, "GET_STATS: error " + error); }
            return new Stats(Answer);
        }

        // Reads and throws away until a request has waited for ms; that request, or null after so many tries.
        public Request Park(uint code, int ms, int tries)
        {
            for (int i = 0; i < tries; i++)
            {
                Request r = new Request(Handle, code, null, 1 << 20);
                if (r.Error == 997 && !r.Wait(ms)) { return r; }
                r.Dispose();
            }
            return null;
        }

        public void Dispose()
        {
            if (Handle != new IntPtr(-1)) { Native.CloseHandle(Handle); }
            Handle = new IntPtr(-1);
        }
    }

    // A filter as SET_FILTER takes it.
    public static class Filter
    {
        public const uint All = 0x1f, Process = 1, Module = 2, Registry = 4, Thread = 8, Handle = 0x10;

        public static byte[] Make(uint classes, string[] paths, string[] keys)
        {
            List<string> texts = new List<string>();
            if (paths != null) { texts.AddRange(paths); }
            int pathCount = texts.Count;
            if (keys != null) { texts.AddRange(keys); }
            List<byte> head = new List<byte>(), refs = new List<byte>(), body = new List<byte>();
            int textAt = 32 + 8 * texts.Count;
            foreach (string s in texts)
            {
                byte[] bytes = Encoding.Unicode.GetBytes(s);
                refs.AddRange(BitConverter.GetBytes((uint)(textAt + body.Count)));
                refs.AddRange(BitConverter.GetBytes((ushort)bytes.Length));
                refs.AddRange(new byte[2]);
                body.AddRange(bytes);
            }
            head.AddRange(Encoding.ASCII.GetBytes("WEF7"));
            head.AddRange(BitConverter.GetBytes((uint)(textAt + body.Count)));
            head.AddRange(BitConverter.GetBytes((ushort)1));
            head.AddRange(BitConverter.GetBytes((ushort)pathCount));
            head.AddRange(BitConverter.GetBytes((ushort)(texts.Count - pathCount)));
            head.AddRange(new byte[2]);
            head.AddRange(BitConverter.GetBytes(classes));
            head.AddRange(new byte[12]);
            head.AddRange(refs);
            head.AddRange(body);
            return head.ToArray();
        }

        public static byte[] Patch(byte[] filter, int at, byte value)
        {
            byte[] copy = (byte[])filter.Clone();
            copy[at] = value;
            return copy;
        }

        public static byte[] Cut(byte[] filter, int length)
        {
            byte[] copy = new byte[length];
            Array.Copy(filter, copy, Math.Min(length, filter.Length));
            return copy;
        }
    }

    // Reads batches on a thread of its own until it is stopped; checks every record, keeps those of the wanted types.
    public sealed class Reader : IDisposable
    {
        readonly Device device;
        readonly Thread thread;
        readonly IntPtr stop = Native.CreateEventW(IntPtr.Zero, true, false, null);
        readonly List<Record> kept = new List<Record>();
        public volatile int KeepMask = -1; // bit n: records of type n
        public readonly ulong[] Count = new ulong[2], First = new ulong[2], Last = new ulong[2], Holes = new ulong[2];
        public ulong Malformed, Disorder, Batches;
        public string FirstMalformed = "", Failure = "";

        public Reader(Device device)
        {
            this.device = device;
            thread = new Thread(Run);
            thread.IsBackground = true;
            thread.Start();
        }

        void Run()
        {
            try
            {
                bool stopping = false;
                while (!stopping)
                {
                    using (Request r = new Request(device.Handle, Device.GetEvents, null, 1 << 20))
                    {
                        if (r.Error == 997)
                        {
                            if (Native.WaitForMultipleObjects(2, new IntPtr[] { r.Done, stop }, false, 0xffffffff) == 1)
                            {
                                stopping = true;
                                r.Cancel();
                                if (!r.Wait(10000)) { Failure = "a cancelled request did not end"; return; }
                            }
                        }
                        int error = r.Outcome();
                        if (error == 0) { Take(r.Data()); }
                        else if (!(error == 995 && stopping)) { Failure = "GET_EVENTS: error " + error; return; }
                    }
                    stopping = stopping || Native.WaitForSingleObject(stop, 0) == 0;
                }
            }
            catch (Exception e) { Failure = e.ToString(); }
        }

        void Take(byte[] data)
        {
            lock (kept)
            {
                int at = 0;
                Batches++;
                while (at < data.Length)
                {
                    Record r;
                    int size;
                    string bad = Wire.Decode(data, at, data.Length, out r, out size);
                    if (bad != null)
                    {
                        if (Malformed++ == 0) { FirstMalformed = bad; }
                        if (size == 0) { return; }
                    }
                    else { Note(r); }
                    at += size;
                }
                Monitor.PulseAll(kept);
            }
        }

        void Note(Record r)
        {
            int s = r.Stream;
            if (Count[s]++ == 0) { First[s] = r.Seq; }
            else if (r.Seq <= Last[s]) { Disorder++; }
            else { Holes[s] += r.Seq - Last[s] - 1; }
            Last[s] = r.Seq;
            if ((KeepMask >> r.Type & 1) != 0) { kept.Add(r); }
        }

        // The first record that matches, waiting up to ms for it; else null.
        public Record Find(IDictionary conditions, int ms)
        {
            DateTime until = DateTime.UtcNow.AddMilliseconds(ms);
            int from = 0;
            lock (kept)
            {
                for (;;)
                {
                    for (; from < kept.Count; from++)
                    {
                        if (Wire.Matches(kept[from], conditions)) { return kept[from]; }
                    }
                    int left = (int)(until - DateTime.UtcNow).TotalMilliseconds;
                    if (left <= 0) { return null; }
                    Monitor.Wait(kept, Math.Min(left, 200));
                }
            }
        }

        public Record[] All(IDictionary conditions)
        {
            List<Record> found = new List<Record>();
            lock (kept)
            {
                foreach (Record r in kept) { if (Wire.Matches(r, conditions)) { found.Add(r); } }
            }
            return found.ToArray();
        }

        public void Forget()
        {
            lock (kept) { kept.Clear(); }
        }

        public void Stop()
        {
            Native.SetEvent(stop);
            if (!thread.Join(20000)) { Failure = "the reader did not end"; }
        }

        public void Dispose()
        {
            Stop();
            Native.CloseHandle(stop);
        }
    }

    // A process that this one started, held by the handles that creation gave: no handle is opened afterwards.
    public sealed class Child : IDisposable
    {
        Native.ProcessInformation info;
        public uint Pid { get { return info.pid; } }
        public uint Tid { get { return info.tid; } }

        public Child(string commandLine)
        {
            Native.StartupInfo startup = new Native.StartupInfo();
            startup.cb = Marshal.SizeOf(typeof(Native.StartupInfo));
            if (!Native.CreateProcessW(null, new StringBuilder(commandLine, 32768), IntPtr.Zero, IntPtr.Zero, false, 0x08000000,
                IntPtr.Zero, null, ref startup, out info))
            {
                int error = Marshal.GetLastWin32Error();
                throw new Win32Exception(error, "cannot start " + commandLine + ": error " + error);
            }
        }

        public bool Wait(int ms)
        {
            return Native.WaitForSingleObject(info.process, (uint)ms) == 0;
        }

        public int ExitCode()
        {
            uint code;
            return Native.GetExitCodeProcess(info.process, out code) ? (int)code : -1;
        }

        public void Kill(int code)
        {
            Native.TerminateProcess(info.process, (uint)code);
        }

        // Each gives 0 or a Windows error code.
        public int OpenAgain(uint access)
        {
            return CloseOrError(Native.OpenProcess(access, false, info.pid));
        }

        public int OpenItsThread(uint access)
        {
            return CloseOrError(Native.OpenThread(access, false, info.tid));
        }

        public int DuplicateToSelf(uint access)
        {
            IntPtr copy;
            IntPtr self = Native.GetCurrentProcess();
            return Native.DuplicateHandle(self, info.process, self, out copy, access, false, 0)
                ? CloseOrError(copy) : Marshal.GetLastWin32Error();
        }

        // A thread of ours in the child that sleeps a millisecond and ends. Its id, or a negated error code.
        public long StartThreadInside()
        {
            uint tid;
            IntPtr sleep = Native.GetProcAddress(Native.GetModuleHandleW("kernel32.dll"), "Sleep");
            IntPtr h = Native.CreateRemoteThread(info.process, IntPtr.Zero, UIntPtr.Zero, sleep, new IntPtr(1), 0, out tid);
            if (h == IntPtr.Zero) { return -Marshal.GetLastWin32Error(); }
            Native.WaitForSingleObject(h, 10000);
            Native.CloseHandle(h);
            return tid;
        }

        static int CloseOrError(IntPtr h)
        {
            if (h == IntPtr.Zero) { return Marshal.GetLastWin32Error(); }
            Native.CloseHandle(h);
            return 0;
        }

        public void Dispose()
        {
            Kill(99);
            Native.CloseHandle(info.thread);
            Native.CloseHandle(info.process);
        }
    }

    public static class Machine
    {
        // SystemCodeIntegrityInformation: 2 test signing, 0x400 hypervisor-protected code integrity.
        public static uint CodeIntegrity()
        {
            ulong info = 8;
            int returned;
            int status = Native.NtQuerySystemInformation(103, ref info, 8, out returned);
            if (status != 0) { throw new Win32Exception("code integrity: status " + status.ToString("x8", CultureInfo.InvariantCulture)); }
            return (uint)(info >> 32);
        }

        public static uint Pid { get { return Native.GetCurrentProcessId(); } }

        // Id of a thread of this process that started and ended.
        public static uint RunThread()
        {
            uint tid = 0;
            Thread t = new Thread(delegate() { tid = Native.GetCurrentThreadId(); });
            t.Start();
            t.Join();
            return tid;
        }

        public static int LoadAndFree(string path)
        {
            IntPtr module = Native.LoadLibraryW(path);
            if (module == IntPtr.Zero) { return Marshal.GetLastWin32Error(); }
            Native.FreeLibrary(module);
            return 0;
        }

        // Renames a key below the current user's key `parent`.
        public static int RenameKey(string parent, string name, string newName)
        {
            IntPtr key;
            IntPtr currentUser = new IntPtr(unchecked((int)0x80000001));
            int error = Native.RegOpenKeyExW(currentUser, parent, 0, 0x2001f, out key); // read and write
            if (error != 0) { return error; }
            error = Native.RegRenameKey(key, name, newName);
            Native.RegCloseKey(key);
            return error;
        }
    }

    // `parents` processes that start `children` each, all at once; every command line has the marker.
    public static class Tree
    {
        // Pids of the parents when all of them ended in time; children have ended before them.
        public static uint[] Grow(int parents, int children, string marker, int ms)
        {
            List<Child> list = new List<Child>();
            List<uint> pids = new List<uint>();
            DateTime until = DateTime.UtcNow.AddMilliseconds(ms);
            try
            {
                for (int i = 0; i < parents; i++)
                {
                    Child c = new Child("cmd.exe /d /q /c for /l %i in (1,1," + children + ") do @cmd.exe /d /q /c rem " + marker);
                    list.Add(c);
                    pids.Add(c.Pid);
                }
                foreach (Child c in list)
                {
                    int left = (int)Math.Max(0, (until - DateTime.UtcNow).TotalMilliseconds);
                    if (!c.Wait(left)) { throw new TimeoutException("the process tree did not end in " + ms + " ms"); }
                }
            }
            finally { foreach (Child c in list) { c.Dispose(); } }
            return pids.ToArray();
        }
    }
}
'@
# ---- End of the C# part.

# ---- The table of results. Every row is on the disk before the next check begins: a bug check must not take it along.
$script:Failed = 0
$script:Passed = 0
$script:Skipped = 0

function Write-Line([string]$Text) {
    $bytes = [Text.Encoding]::UTF8.GetBytes($Text + "`r`n")
    $file = New-Object IO.FileStream($Result, [IO.FileMode]::Append, [IO.FileAccess]::Write, [IO.FileShare]::Read, 4096,
        [IO.FileOptions]::WriteThrough)
    try { $file.Write($bytes, 0, $bytes.Length); $file.Flush($true) } finally { $file.Dispose() }
}

function Add-Row([string]$Check, [string]$Outcome, [string]$Detail) {
    $flat = ($Detail -replace '[\r\n]+', ' ' -replace '\|', '/').Trim()
    Write-Line "| $Check | $Outcome | $flat |"
    $colour = 'Green'
    if ($Outcome -eq 'FAIL') { $script:Failed++; $colour = 'Red' }
    elseif ($Outcome -eq 'skip') { $script:Skipped++; $colour = 'Yellow' }
    else { $script:Passed++ }
    Write-Host ("{0,-4} {1}: {2}" -f $Outcome, $Check, $flat) -ForegroundColor $colour
}

# Runs one check. The body returns the detail, or throws: 'SKIP: why' is a skip, anything else a failure.
function Test-Step([string]$Check, [scriptblock]$Body) {
    try {
        $detail = & $Body
        Add-Row $Check 'pass' ([string]($detail -join ' '))
        return
    }
    catch {
        $text = $_.Exception.Message
        if ($_.Exception.InnerException) { $text = $_.Exception.InnerException.Message }
        if ($text.StartsWith('SKIP: ', [StringComparison]::Ordinal)) { Add-Row $Check 'skip' $text.Substring(6) }
        else {
            # Where in the check, not where in the helper that threw.
            $at = @($_.ScriptStackTrace -split "`n" | Where-Object { $_ -notmatch '^at (Assert|Find)-' })[0] -replace '^.*[:,]\s*', ''
            Add-Row $Check 'FAIL' "$text ($at)"
        }
    }
}

function Assert-That([bool]$Condition, [string]$Message) {
    if (-not $Condition) { throw $Message }
}

function Assert-Equal($Have, $Want, [string]$What) {
    if ([string]$Have -ne [string]$Want) { throw "$What is $Have, expected $Want" }
}

# Runs a program of Windows; what it says on either stream is text, its exit code decides nothing by itself.
function Invoke-Program([string]$Name, [string[]]$Arguments) {
    $before = $ErrorActionPreference
    $ErrorActionPreference = 'Continue'
    try { $text = (& $Name @Arguments 2>&1 | ForEach-Object { [string]$_ }) -join ' ' } finally { $ErrorActionPreference = $before }
    New-Object psobject -Property @{ Code = $LASTEXITCODE; Text = $text }
}

# 'Running', 'Stopped' or, when there is no such driver, ''. Not sc.exe's text: it is translated.
function Get-DriverState([string]$Name) {
    $driver = Get-CimInstance Win32_SystemDriver -Filter "Name='$Name'"
    if ($driver) { $driver.State } else { '' }
}

function Read-State {
    if (-not (Test-Path -LiteralPath $StateFile)) { return $null }
    Get-Content -LiteralPath $StateFile -Raw | ConvertFrom-Json
}

function Write-State([string]$Phase, [string]$Thumbprint) {
    if (-not (Test-Path -LiteralPath $StateFolder)) { [void](New-Item -ItemType Directory -Path $StateFolder) }
    @{ Phase = $Phase; Thumbprint = $Thumbprint; Result = $Result } | ConvertTo-Json | Set-Content -LiteralPath $StateFile -Encoding UTF8
}

# ---- Clean-up: every part by itself, so that one that fails does not keep the others.
$script:Device = $null
$script:Reader = $null
$script:Kids = New-Object Collections.ArrayList

function Undo([scriptblock]$Body) {
    try { [void](& $Body) } catch { Write-Host "clean-up: $($_.Exception.Message)" -ForegroundColor Yellow }
}

function Close-Device {
    if ($script:Reader) { $r = $script:Reader; $script:Reader = $null; $r.Dispose() }
    if ($script:Device) { $d = $script:Device; $script:Device = $null; $d.Dispose() }
}

function Undo-All([string]$Thumbprint) {
    foreach ($kid in $script:Kids) { Undo { $kid.Dispose() } }
    $script:Kids.Clear()
    Undo { Close-Device }
    Undo {
        if (Get-DriverState $Service) {
            [void](Invoke-Program 'sc.exe' @('stop', $Service))
            Start-Sleep -Milliseconds 500
            [void](Invoke-Program 'sc.exe' @('delete', $Service))
        }
    }
    if (Test-Path -LiteralPath $Installed) { Undo { Remove-Item -LiteralPath $Installed -Force } }
    Undo { if (Get-LocalUser -Name $TestUser -ErrorAction SilentlyContinue) { Remove-LocalUser -Name $TestUser } }
    Undo {
        Get-ChildItem -Path "HKCU:\$RunKey" -ErrorAction SilentlyContinue |
            Where-Object { $_.PSChildName -like 'wedr-*' } | Remove-Item -Recurse -Force
    }
    Undo {
        Get-ChildItem -Path 'HKLM:\SYSTEM\CurrentControlSet\Services' -ErrorAction SilentlyContinue |
            Where-Object { $_.PSChildName -like 'wedr-*' } | Remove-Item -Recurse -Force
    }
    if (Test-Path -Path "HKLM:\$MachineKey") { Undo { Remove-Item -Path "HKLM:\$MachineKey" -Recurse -Force } }
    if (Test-Path -Path "Registry::HKEY_USERS\$HiveName") { Undo { Invoke-Program 'reg.exe' @('unload', "HKU\$HiveName") } }
    Undo { Get-ChildItem -Path (Join-Path $env:TEMP 'wedr-*') -Force -ErrorAction SilentlyContinue | Remove-Item -Force }
    foreach ($store in 'Root', 'TrustedPublisher') {
        if ($Thumbprint -and (Test-Path "Cert:\LocalMachine\$store\$Thumbprint")) {
            Undo { Remove-Item "Cert:\LocalMachine\$store\$Thumbprint" -Force }
        }
    }
}

# ---- What must be so before anything is touched.
function Get-Obstacle {
    if ($PSVersionTable.PSVersion -lt [version]'5.1') { return 'PowerShell 5.1 or later is needed.' }
    if (-not [Environment]::Is64BitProcess -or $env:PROCESSOR_ARCHITECTURE -ne 'AMD64') { return 'Run it in a 64-bit PowerShell on x64 Windows.' }
    $me = New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) { return 'Run it as administrator.' }
    if ([Environment]::OSVersion.Version.Build -lt 17763) { return 'Windows 10 1809 (build 17763) or later is needed.' }
    foreach ($name in 'WazabiEDR.sys', 'WazabiEDR.inf', 'WazabiEDR.cat', 'test-ca.cer') {
        if (-not (Test-Path -LiteralPath (Join-Path $Package $name))) { return "$name is not in $Package." }
    }
    return ''
}

function New-Marker { 'wedr-' + [guid]::NewGuid().ToString('N').Substring(0, 12) }

function Start-Child([string]$CommandLine) {
    $kid = New-Object WedrFirstBoot.Child($CommandLine)
    [void]$script:Kids.Add($kid)
    $kid
}

function Find-Record([hashtable]$Conditions, [string]$What) {
    $r = $script:Reader.Find($Conditions, 8000)
    if (-not $r) { throw "no record: $What" }
    $r
}

function Assert-NoRecord([hashtable]$Conditions, [string]$What) {
    $found = @($script:Reader.All($Conditions))
    if ($found.Count -gt 0) { throw "$($found.Count) records of $What, the first: $($found[0])" }
}

# Waits until the reader has seen a process of ours that starts now: everything before it has arrived by then.
function Sync-Reader {
    $mark = New-Marker
    $kid = Start-Child "cmd.exe /d /q /c rem $mark"
    [void]$kid.Wait(20000)
    [void](Find-Record @{ type = 2; pid = $kid.Pid } 'the exit of the process that marks the place')
    Start-Sleep -Milliseconds 300 # the bulk lane is read after the critical one
}

function Set-Filter([byte[]]$Filter) {
    Assert-Equal ($script:Device.Control([WedrFirstBoot.Device]::SetFilter, $Filter, 0, 5000)) 0 'SET_FILTER'
}

function Get-Facts {
    $nt = Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    $system = Get-CimInstance Win32_ComputerSystem
    $secure = 'unknown'
    try { $secure = [string](Confirm-SecureBootUEFI) } catch { $secure = 'no UEFI' }
    $ci = [WedrFirstBoot.Machine]::CodeIntegrity()
    $revision = 0
    if ($nt.PSObject.Properties['UBR']) { $revision = $nt.UBR }
    Write-Line "* Windows: $($nt.ProductName), build $($nt.CurrentBuild).$revision, $((Get-Culture).Name)"
    Write-Line "* Machine: $($system.Manufacturer) $($system.Model), $($system.NumberOfLogicalProcessors) processors, $([int]($system.TotalPhysicalMemory / 1048576)) MiB, Secure Boot: $secure"
    Write-Line ("* Code integrity options: 0x{0:x} (0x2 test signing, 0x400 memory integrity)" -f $ci)
    foreach ($name in 'WazabiEDR.sys', 'WazabiEDR.inf', 'WazabiEDR.cat') {
        Write-Line "* $name SHA-256: $((Get-FileHash -LiteralPath (Join-Path $Package $name) -Algorithm SHA256).Hash.ToLower())"
    }
    Write-Line "* Driver Verifier: $((Invoke-Program 'verifier.exe' @('/querysettings')).Text.Trim())"
    Write-Line "* Begun: $([DateTime]::UtcNow.ToString('u'))"
    Write-Line ''
    if (($system.Manufacturer + $system.Model) -notmatch 'Virtual|VMware|QEMU|KVM|Xen|Parallels|innotek|Bochs|Google|Amazon') {
        Write-Host 'This does not look like a virtual machine. A fault of the driver stops this computer.' -ForegroundColor Yellow
    }
}

# ---- The checks, in groups. $script:Device is open from Test-Load on.
function Test-Package([string]$Thumbprint) {
    Test-Step 'test certificate imported' {
        foreach ($store in 'Root', 'TrustedPublisher') {
            [void](Import-Certificate -FilePath (Join-Path $Package 'test-ca.cer') -CertStoreLocation "Cert:\LocalMachine\$store")
        }
        $Thumbprint
    }
    foreach ($name in 'WazabiEDR.sys', 'WazabiEDR.cat') {
        Test-Step "signature of $name" {
            $signature = Get-AuthenticodeSignature -LiteralPath (Join-Path $Package $name)
            Assert-Equal $signature.Status 'Valid' 'the status'
            $signature.SignerCertificate.Subject
        }
    }
    Test-Step 'INF and catalog taken by the driver store' {
        $folder = Join-Path $env:SystemRoot 'INF'
        $before = @(Get-ChildItem -Path (Join-Path $folder 'oem*.inf') | ForEach-Object { $_.Name })
        $added = Invoke-Program 'pnputil.exe' @('/add-driver', (Join-Path $Package 'WazabiEDR.inf'))
        $new = @(Get-ChildItem -Path (Join-Path $folder 'oem*.inf') | Where-Object { $before -notcontains $_.Name })
        foreach ($file in $new) { [void](Invoke-Program 'pnputil.exe' @('/delete-driver', $file.Name)) }
        Assert-That ($added.Code -eq 0 -and $new.Count -eq 1) "pnputil: $($added.Code) $($added.Text)"
        'staged and removed again; not installed by the INF'
    }
}

function Start-Driver {
    $r = Invoke-Program 'sc.exe' @('start', $Service)
    Assert-Equal $r.Code 0 "sc start ($($r.Text))"
}

function Stop-Driver {
    $r = Invoke-Program 'sc.exe' @('stop', $Service)
    Assert-Equal $r.Code 0 "sc stop ($($r.Text))"
    for ($i = 0; $i -lt 100; $i++) {
        if ((Get-DriverState $Service) -eq 'Stopped') { return }
        Start-Sleep -Milliseconds 100
    }
    throw 'the driver does not stop'
}

function Test-Load {
    Test-Step 'service created' {
        Copy-Item -LiteralPath (Join-Path $Package 'WazabiEDR.sys') -Destination $Installed -Force
        $r = Invoke-Program 'sc.exe' @('create', $Service, 'type=', 'kernel', 'start=', 'demand', 'error=', 'normal', 'binPath=', $Installed)
        Assert-Equal $r.Code 0 "sc create ($($r.Text))"
        $key = "HKLM:\SYSTEM\CurrentControlSet\Services\$Service\Parameters"
        [void](New-Item -Path $key -Force)
        [void](New-ItemProperty -Path $key -Name 'CriticalLaneBytes' -PropertyType DWord -Value (8 * 1024 * 1024))
        'by the service controller'
    }
    Test-Step 'driver loads' {
        $watch = [Diagnostics.Stopwatch]::StartNew()
        Start-Driver
        "$($watch.ElapsedMilliseconds) ms"
    }
    Test-Step 'device opens' {
        $script:Device = [WedrFirstBoot.Device]::Open()
        '\\.\WazabiEDR'
    }
    if ($Resume) {
        Test-Step 'Driver Verifier watches the driver' {
            $r = Invoke-Program 'verifier.exe' @('/query')
            Assert-That ($r.Text -match 'WazabiEDR\.sys') $r.Text
            'verifier /query names it'
        }
    }
}

function Test-Requests {
    $d = $script:Device
    Test-Step 'GET_VERSION' {
        Assert-Equal ($d.Control([WedrFirstBoot.Device]::GetVersion, $null, 256, 5000)) 0 'error'
        $a = $d.Answer
        Assert-Equal $a.Length 64 'length'
        Assert-Equal ([BitConverter]::ToUInt16($a, 4)) 1 'ioctl version'
        Assert-Equal ([BitConverter]::ToUInt16($a, 6)) 7 'wire version'
        Assert-Equal ([BitConverter]::ToUInt32($a, 16)) 131072 'largest record'
        Assert-Equal ([BitConverter]::ToUInt64($a, 24)) 8388608 'bytes of a lane (Parameters\CriticalLaneBytes)'
        Assert-That ([BitConverter]::ToUInt64($a, 32) -ne 0) 'epoch 0'
        'driver ' + [BitConverter]::ToUInt16($a, 8) + '.' + [BitConverter]::ToUInt16($a, 10) + '.' + [BitConverter]::ToUInt16($a, 12)
    }
    Test-Step 'GET_STATS: five callbacks registered' {
        $s = $d.ReadStats()
        $names = 'process', 'image', 'registry', 'thread', 'handle'
        $bad = @()
        for ($i = 0; $i -lt 5; $i++) {
            if ($s.State[$i] -ne 1) { $bad += '{0}: state {1}, status 0x{2:x8}' -f $names[$i], $s.State[$i], $s.Status[$i] }
        }
        Assert-That ($bad.Count -eq 0) ($bad -join '; ')
        Assert-Equal $s.Imbalance() '' 'imbalance'
        "$($s.Processes) processes known, $($s.Untracked) untracked"
    }
    Test-Step 'GET_STATS and GET_VERSION with short buffers' {
        foreach ($code in [WedrFirstBoot.Device]::GetStats, [WedrFirstBoot.Device]::GetVersion) {
            Assert-Equal ($d.Control($code, $null, 16, 5000)) 0 '16 bytes: error'
            Assert-Equal $d.Answer.Length 16 'answer'
            Assert-Equal ($d.Control($code, $null, 15, 5000)) 122 '15 bytes: error'
        }
        '16 bytes answered, 15 refused'
    }
    Test-Step 'GET_EVENT and GET_EVENTS with short buffers' {
        foreach ($code in [WedrFirstBoot.Device]::GetEvent, [WedrFirstBoot.Device]::GetEvents) {
            foreach ($length in 4096, 131071) {
                Assert-Equal ($d.Control($code, $null, $length, 5000)) 234 "$length bytes: error"
                Assert-Equal $d.Answer.Length 4 'answer'
                Assert-Equal ([BitConverter]::ToUInt32($d.Answer, 0)) 131072 'needed size'
            }
            Assert-Equal ($d.Control($code, $null, 2, 5000)) 234 '2 bytes: error'
            Assert-Equal $d.Answer.Length 0 'answer to 2 bytes'
        }
        'the needed size is told, nothing is taken'
    }
    Test-Step 'inventory: this process is there as existing' {
        $sawSelf = $false
        $sawAny = 0
        $until = [DateTime]::UtcNow.AddSeconds(30)
        while (-not $sawSelf -and [DateTime]::UtcNow -lt $until) {
            $code = $d.Control([WedrFirstBoot.Device]::GetEvent, $null, 131072, 1000)
            if ($code -eq 258) { break }
            Assert-Equal $code 0 'GET_EVENT'
            $record = $null
            $size = 0
            $bad = [WedrFirstBoot.Wire]::Decode($d.Answer, 0, $d.Answer.Length, [ref]$record, [ref]$size)
            Assert-That (-not $bad) "malformed record: $bad"
            Assert-Equal $size $d.Answer.Length 'one record per GET_EVENT: size'
            if ($record.Type -eq 1 -and $record.Get('existing') -eq 1) {
                $sawAny++
                if ($record.Get('pid') -eq $PID) {
                    $sawSelf = $true
                    Assert-That ($record.Get('process_key') -ne 0) 'no process key'
                }
            }
        }
        Assert-That $sawSelf "not among $sawAny existing processes"
        "after $sawAny records"
    }
    Test-Step 'unknown request refused' {
        Assert-Equal ($d.Control(0x00226ffc, $null, 64, 5000)) 1 'error'
        'error 1'
    }
    Test-Step 'second open refused' {
        Assert-Equal ([WedrFirstBoot.Device]::OpenError($true)) 5 'error'
        'error 5'
    }
}

function Test-Filter {
    $d = $script:Device
    $all = [WedrFirstBoot.Filter]::All
    Test-Step 'SET_FILTER takes a good filter' {
        $before = $d.ReadStats().FilterGeneration
        Set-Filter ([WedrFirstBoot.Filter]::Make($all, @('\Device\HarddiskVolume99\none\'), @("\REGISTRY\MACHINE\$MachineKey")))
        Set-Filter ([WedrFirstBoot.Filter]::Make($all, $null, $null))
        Assert-Equal ($d.ReadStats().FilterGeneration) ($before + 2) 'generation'
        'two filters, generation + 2'
    }
    Test-Step 'SET_FILTER refuses bad filters and keeps the old one' {
        $good = [WedrFirstBoot.Filter]::Make($all, @('\Device\x\'), @('\REGISTRY\x'))
        $bad = [ordered]@{
            'empty'               = (New-Object byte[] 1)
            'cut'                 = [WedrFirstBoot.Filter]::Cut($good, $good.Length - 2)
            'longer than it says' = [WedrFirstBoot.Filter]::Cut($good, $good.Length + 2)
            'magic'               = [WedrFirstBoot.Filter]::Patch($good, 0, 0)
            'version'             = [WedrFirstBoot.Filter]::Patch($good, 8, 9)
            'too many prefixes'   = [WedrFirstBoot.Filter]::Patch($good, 10, 65)
            'reserved'            = [WedrFirstBoot.Filter]::Patch($good, 14, 1)
            'without processes'   = [WedrFirstBoot.Filter]::Make(0x1e, $null, $null)
            'unknown class'       = [WedrFirstBoot.Filter]::Make(0x3f, $null, $null)
            'prefix outside'      = [WedrFirstBoot.Filter]::Patch($good, 33, 0x40)
            'odd offset'          = [WedrFirstBoot.Filter]::Patch($good, 32, 49)
            'no backslash'        = [WedrFirstBoot.Filter]::Make($all, @('x'), $null)
            'a NUL'               = [WedrFirstBoot.Filter]::Make($all, @("\a$([char]0)b"), $null)
            'prefix too long'     = [WedrFirstBoot.Filter]::Make($all, @('\' + 'a' * 512), $null)
            'too large'           = [WedrFirstBoot.Filter]::Cut($good, 65537)
        }
        $before = $d.ReadStats().FilterGeneration
        foreach ($what in $bad.Keys) {
            $code = $d.Control([WedrFirstBoot.Device]::SetFilter, $bad[$what], 0, 5000)
            Assert-That ($code -ne 0) "taken: $what"
        }
        Assert-Equal ($d.ReadStats().FilterGeneration) $before 'generation'
        "$($bad.Count) refused"
    }
    Test-Step 'SET_FILTER needs a handle with write access' {
        Close-Device
        $reading = $null
        Assert-Equal ([WedrFirstBoot.Device]::TryOpen($false, [ref]$reading)) 0 'opening for reading'
        try {
            $filter = [WedrFirstBoot.Filter]::Make($all, $null, $null)
            Assert-Equal ($reading.Control([WedrFirstBoot.Device]::SetFilter, $filter, 0, 5000)) 5 'SET_FILTER'
            Assert-Equal ($reading.Control([WedrFirstBoot.Device]::GetVersion, $null, 64, 5000)) 0 'GET_VERSION'
        }
        finally { $reading.Dispose() }
        $script:Device = [WedrFirstBoot.Device]::Open()
        'error 5'
    }
}

function Test-Parking {
    # Processes alone: otherwise there is hardly ever nothing to read.
    Set-Filter ([WedrFirstBoot.Filter]::Make([WedrFirstBoot.Filter]::Process, $null, $null))
    $d = $script:Device
    foreach ($name in 'GetEvent', 'GetEvents') {
        Test-Step "$name parks and CancelIoEx ends it" {
            $before = $d.ReadStats().Cancelled
            $r = $d.Park([WedrFirstBoot.Device]::$name, 300, 20000)
            Assert-That ($null -ne $r) 'no request ever waited'
            try {
                Assert-That ($d.ReadStats().Parked -ge 1) 'GET_STATS counts none parked'
                Assert-That $r.Cancel() 'CancelIoEx found nothing'
                Assert-That $r.Wait(5000) 'not ended after 5 s'
                $outcome = $r.Outcome()
                if ($outcome -eq 0) { throw 'SKIP: a record came first' }
                Assert-Equal $outcome 995 'error'
                Assert-That ($d.ReadStats().Cancelled -gt $before) 'GET_STATS counts none cancelled'
            }
            finally { $r.Dispose() }
            'error 995'
        }
    }
    Test-Step 'a parked request gets the next record' {
        $r = $d.Park([WedrFirstBoot.Device]::GetEvent, 300, 20000)
        Assert-That ($null -ne $r) 'no request ever waited'
        try {
            $kid = Start-Child 'cmd.exe /d /q /c exit 0'
            Assert-That $r.Wait(5000) 'still waiting'
            Assert-Equal $r.Outcome() 0 'error'
            [void]$kid.Wait(10000)
        }
        finally { $r.Dispose() }
        'completed'
    }
    Test-Step '64 requests park, one more is refused, all are cancelled' {
        $many = New-Object Collections.ArrayList
        try {
            $first = $d.Park([WedrFirstBoot.Device]::GetEvents, 300, 20000)
            Assert-That ($null -ne $first) 'no request ever waited'
            [void]$many.Add($first)
            for ($i = 1; $i -lt 64; $i++) { [void]$many.Add((New-Object WedrFirstBoot.Request($d.Handle, [WedrFirstBoot.Device]::GetEvents, $null, 131072))) }
            $extra = New-Object WedrFirstBoot.Request($d.Handle, [WedrFirstBoot.Device]::GetEvents, $null, 131072)
            [void]$many.Add($extra)
            $taken = @($many | Where-Object { -not $_.IsPending -and $_.Outcome() -eq 0 }).Count
            if ($taken -gt 0) { throw "SKIP: $taken records came in between" }
            Assert-That $extra.Wait(5000) 'the 65th waits'
            Assert-Equal $extra.Outcome() 1450 'error of the 65th'
            for ($i = 0; $i -lt 64; $i++) { [void]$many[$i].Cancel() }
            for ($i = 0; $i -lt 64; $i++) {
                Assert-That $many[$i].Wait(5000) "request $i did not end"
            }
        }
        finally { foreach ($r in $many) { $r.Dispose() } }
        Assert-Equal ($d.ReadStats().Parked) 0 'parked afterwards'
        'error 1450 for the 65th'
    }
    Test-Step 'closing the handle ends a parked request' {
        $r = $d.Park([WedrFirstBoot.Device]::GetEvents, 300, 20000)
        Assert-That ($null -ne $r) 'no request ever waited'
        try {
            Close-Device
            Assert-That $r.Wait(5000) 'not ended after 5 s'
            Assert-That ($r.Status -eq 3221225760 -or $r.Status -eq 0) ('status 0x{0:x8}' -f $r.Status) # 0xC0000120
            Start-Sleep -Milliseconds 200 # the file object goes when its last request is gone
            'status 0x{0:x8}' -f $r.Status
        }
        finally { $r.Dispose(); if (-not $script:Device) { $script:Device = [WedrFirstBoot.Device]::Open() } }
    }
    Set-Filter ([WedrFirstBoot.Filter]::Make([WedrFirstBoot.Filter]::All, $null, $null))
}

function Test-Access {
    Test-Step 'a user without rights cannot open the device' {
        if (-not (Get-Command New-LocalUser -ErrorAction SilentlyContinue)) { throw 'SKIP: no command New-LocalUser' }
        $word = 'Aa1!' + [guid]::NewGuid().ToString('N')
        [void](New-LocalUser -Name $TestUser -Password (ConvertTo-SecureString $word -AsPlainText -Force) -Description 'first-boot.ps1')
        Close-Device
        try {
            $as = [WedrFirstBoot.Device]::OpenErrorAs($TestUser, $word)
            # The device is free, or the refusal would prove nothing.
            $self = [WedrFirstBoot.Device]::OpenError($true)
        }
        finally {
            $script:Device = [WedrFirstBoot.Device]::Open()
            Remove-LocalUser -Name $TestUser
        }
        if ($as -lt 0) { throw "SKIP: the test user could not log on, error $(-$as)" }
        Assert-Equal $self 0 'opening as administrator'
        Assert-Equal $as 5 'opening as that user'
        'error 5'
    }
}

function Test-ProcessEvents {
    $script:Reader = New-Object WedrFirstBoot.Reader($script:Device)
    $mark = New-Marker
    Test-Step 'process start: command line, image, user, session, elevation' {
        $kid = Start-Child "cmd.exe /d /q /c exit 37 & rem $mark"
        [void]$kid.Wait(20000)
        Assert-Equal $kid.ExitCode() 37 'exit code'
        $r = Find-Record @{ type = 1; pid = $kid.Pid; 'command_line~' = $mark } 'process_create'
        Assert-That ($r.Get('image_path').EndsWith('\system32\cmd.exe', [StringComparison]::OrdinalIgnoreCase)) "image $($r.Get('image_path'))"
        Assert-Equal $r.Get('parent_pid') $PID 'parent'
        Assert-Equal $r.Get('creating_pid') $PID 'creator'
        Assert-Equal $r.Get('stream') 0 'stream'
        Assert-Equal $r.Get('existing') 0 'existing'
        Assert-Equal $r.Get('user_sid') ([Security.Principal.WindowsIdentity]::GetCurrent().User.Value) 'user'
        Assert-Equal $r.Get('session_id') (Get-Process -Id $PID).SessionId 'session'
        Assert-Equal $r.Get('elevated') 1 'elevated'
        Assert-That ($r.Get('integrity_level') -ge 0x3000) "integrity $($r.Get('integrity_level'))"
        Assert-That ($r.Get('process_key') -ne 0 -and $r.Get('parent_key') -ne 0) 'a key is 0'
        Assert-That ($r.Get('parent_image_path').EndsWith('.exe', [StringComparison]::OrdinalIgnoreCase)) "parent image $($r.Get('parent_image_path'))"
        $now = [DateTime]::UtcNow.ToFileTimeUtc()
        Assert-That ([Math]::Abs($now - $r.Get('time')) -lt 600000000) "time is $(($now - $r.Get('time')) / 1e7) s off"
        $e = Find-Record @{ type = 2; pid = $kid.Pid } 'process_terminate'
        Assert-Equal $e.Get('exit_code') 37 'exit code'
        Assert-Equal $e.Get('process_key') $r.Get('process_key') 'key of the exit'
        [string]$r
    }
    Test-Step 'plain process creation makes no handle event and no remote thread' {
        $kids = @()
        for ($i = 0; $i -lt 50; $i++) { $kids += Start-Child "cmd.exe /d /q /c rem $mark" }
        foreach ($kid in $kids) { [void]$kid.Wait(30000) }
        foreach ($kid in $kids) { [void](Find-Record @{ type = 2; pid = $kid.Pid } 'process_terminate') }
        Sync-Reader
        foreach ($kid in $kids) {
            Assert-NoRecord @{ type = 7; source_pid = $PID; target_pid = $kid.Pid } 'process_handle_access by the creator'
            Assert-NoRecord @{ type = 5; pid = $kid.Pid; creating_pid = $PID; first_thread = 0 } 'thread_create that looks injected'
            Assert-NoRecord @{ type = 5; pid = $kid.Pid; creating_pid = $PID; stream = 0 } 'thread_create in the critical stream'
            $first = @($script:Reader.All(@{ type = 5; pid = $kid.Pid; first_thread = 1 }))
            Assert-Equal $first.Count 1 'first threads of a process'
            Assert-Equal $first[0].Get('tid') $kid.Tid 'id of the first thread'
        }
        '50 processes: creation handles and first threads known as such'
    }
    Test-Step 'process creation by other programs looks no different' {
        # Explorer, services and cmd.exe create processes all the time; the shell here starts one that starts one.
        $kid = Start-Child "cmd.exe /d /q /c cmd.exe /d /q /c rem $mark-nested"
        [void]$kid.Wait(20000)
        $inner = Find-Record @{ type = 1; parent_pid = $kid.Pid; 'command_line~' = "$mark-nested" } 'the inner process'
        Sync-Reader
        Assert-NoRecord @{ type = 7; source_pid = $kid.Pid; target_pid = $inner.Get('pid') } 'process_handle_access by cmd.exe'
        Assert-NoRecord @{ type = 5; pid = $inner.Get('pid'); creating_pid = $kid.Pid; first_thread = 0 } 'thread_create that looks injected'
        'none'
    }
}

function Test-ThreadAndHandleEvents {
    $kid = Start-Child 'ping.exe -n 300 127.0.0.1'
    Start-Sleep -Milliseconds 500
    Test-Step 'thread of this process: start and end' {
        $tid = [WedrFirstBoot.Machine]::RunThread()
        $r = Find-Record @{ type = 5; pid = $PID; tid = $tid } 'thread_create'
        Assert-Equal $r.Get('creating_pid') $PID 'creator'
        Assert-Equal $r.Get('first_thread') 0 'first thread'
        Assert-Equal $r.Get('stream') 1 'stream'
        [void](Find-Record @{ type = 6; pid = $PID; tid = $tid } 'thread_exit')
        "thread $tid"
    }
    Test-Step 'thread made in another process' {
        $tid = $kid.StartThreadInside()
        Assert-That ($tid -gt 0) "CreateRemoteThread: error $(-$tid)"
        $r = Find-Record @{ type = 5; pid = $kid.Pid; tid = $tid } 'thread_create'
        Assert-Equal $r.Get('creating_pid') $PID 'creator'
        Assert-Equal $r.Get('first_thread') 0 'first thread'
        Assert-Equal $r.Get('stream') 0 'stream'
        [string]$r
    }
    Test-Step 'OpenProcess on a running child' {
        Assert-Equal $kid.OpenAgain(0x0410) 0 'OpenProcess'
        $r = Find-Record @{ type = 7; source_pid = $PID; target_pid = $kid.Pid; target_tid = 0; op = 1; 'original_desired_access&' = 0x10 } 'process_handle_access'
        Assert-That ($r.Get('source_key') -ne 0 -and $r.Get('target_key') -ne 0) 'a key is 0'
        [string]$r
    }
    Test-Step 'OpenProcess with harmless rights makes no event' {
        $before = @($script:Reader.All(@{ type = 7; source_pid = $PID; target_pid = $kid.Pid; target_tid = 0 })).Count
        Assert-Equal $kid.OpenAgain(0x1000) 0 'OpenProcess'
        Sync-Reader
        Assert-Equal (@($script:Reader.All(@{ type = 7; source_pid = $PID; target_pid = $kid.Pid; target_tid = 0 })).Count) $before 'events'
        'PROCESS_QUERY_LIMITED_INFORMATION'
    }
    Test-Step 'OpenThread on a thread of a running child' {
        Assert-Equal $kid.OpenItsThread(0x0002) 0 'OpenThread'
        [string](Find-Record @{ type = 7; source_pid = $PID; target_pid = $kid.Pid; target_tid = $kid.Tid; op = 1 } 'process_handle_access')
    }
    Test-Step 'DuplicateHandle of a process handle' {
        Assert-Equal $kid.DuplicateToSelf(0x0010) 0 'DuplicateHandle'
        $r = Find-Record @{ type = 7; source_pid = $PID; target_pid = $kid.Pid; op = 2 } 'process_handle_access'
        Assert-Equal $r.Get('duplicate_source_pid') $PID 'from'
        Assert-Equal $r.Get('duplicate_target_pid') $PID 'to'
        [string]$r
    }
    $kid.Kill(3)
}

function Test-ImageEvents {
    $script:TempImages = ''
    Test-Step 'image load in this process' {
        $name = (New-Marker) + '.dll'
        $path = Join-Path $env:TEMP $name
        Copy-Item -LiteralPath (Join-Path $env:SystemRoot 'System32\version.dll') -Destination $path
        Assert-Equal ([WedrFirstBoot.Machine]::LoadAndFree($path)) 0 'LoadLibrary'
        $r = Find-Record @{ type = 3; pid = $PID; 'image_path$' = $name } 'module_load'
        Assert-That ($r.Get('image_base') -ne 0 -and $r.Get('image_size') -ne 0) 'base or size is 0'
        Assert-Equal $r.Get('stream') 1 'stream'
        $full = $r.Get('image_path')
        $script:TempImages = $full.Substring(0, $full.Length - $name.Length)
        [string]$r
    }
    Test-Step 'filter: module loads below a path are left out' {
        Assert-That ($script:TempImages -ne '') 'the path is not known'
        $before = $script:Device.ReadStats().Filtered[1]
        Set-Filter ([WedrFirstBoot.Filter]::Make([WedrFirstBoot.Filter]::All, @($script:TempImages), $null))
        $name = (New-Marker) + '.dll'
        $path = Join-Path $env:TEMP $name
        Copy-Item -LiteralPath (Join-Path $env:SystemRoot 'System32\version.dll') -Destination $path
        Assert-Equal ([WedrFirstBoot.Machine]::LoadAndFree($path)) 0 'LoadLibrary'
        Sync-Reader
        Set-Filter ([WedrFirstBoot.Filter]::Make([WedrFirstBoot.Filter]::All, $null, $null))
        Assert-NoRecord @{ type = 3; pid = $PID; 'image_path$' = $name } 'module_load'
        Assert-That ($script:Device.ReadStats().Filtered[1] -gt $before) 'GET_STATS counts none filtered'
        $script:TempImages
    }
    Test-Step 'image load of the kernel' {
        if (-not $LoadSystemDriver) { throw 'SKIP: only with -LoadSystemDriver' }
        $name = ''
        foreach ($candidate in 'cdfs', 'udfs', 'exfat') {
            if ((Get-DriverState $candidate) -eq 'Stopped') { $name = $candidate; break }
        }
        if (-not $name) { throw 'SKIP: no stopped driver of Windows at hand' }
        $r = Invoke-Program 'sc.exe' @('start', $name)
        Assert-Equal $r.Code 0 "sc start $name ($($r.Text))"
        $record = Find-Record @{ type = 3; pid = 0; 'image_path$' = "$name.sys" } 'module_load'
        Assert-Equal $record.Get('stream') 0 'stream'
        [string]$record
    }
}

function Test-RegistryEvents {
    $mark = New-Marker
    $a = "HKCU:\$RunKey\$mark-a"
    $inA = @{ type = 4; pid = $PID; status = 0; 'key_path$' = "\CurrentVersion\Run\$mark-a" }
    Test-Step 'registry: key created below Run' {
        [void](New-Item -Path $a -Force)
        $r = Find-Record ($inA + @{ op = 5 }) 'CreateKey'
        Assert-Equal $r.Get('stream') 0 'stream'
        $r.Get('key_path')
    }
    Test-Step 'registry: value written' {
        [void](New-ItemProperty -Path $a -Name 'v' -PropertyType String -Value "text $mark")
        $r = Find-Record ($inA + @{ op = 1; value_name = 'v' }) 'SetValue'
        Assert-Equal $r.Get('value_type') 1 'type'
        $data = [Text.Encoding]::Unicode.GetBytes("text $mark" + [char]0)
        Assert-Equal $r.Get('data_size') $data.Length 'size'
        Assert-Equal ([BitConverter]::ToString($r.Get('data_preview'))) ([BitConverter]::ToString($data)) 'data'
        [string]$r
    }
    Test-Step 'registry: long value, data cut and said so' {
        [void](New-ItemProperty -Path $a -Name 'long' -PropertyType Binary -Value ([byte[]](New-Object byte[] 5000)))
        $r = Find-Record ($inA + @{ op = 1; value_name = 'long' }) 'SetValue'
        Assert-Equal $r.Get('data_size') 5000 'size'
        Assert-That (($r.StringFlags['data_preview'] -band 1) -eq 1) 'not flagged as cut'
        "$($r.Get('data_preview').Length) of 5000 bytes"
    }
    Test-Step 'registry: value deleted' {
        Remove-ItemProperty -Path $a -Name 'v'
        [string](Find-Record ($inA + @{ op = 2; value_name = 'v' }) 'DeleteValue')
    }
    Test-Step 'registry: security of a key changed' {
        $acl = Get-Acl -Path $a
        Set-Acl -Path $a -AclObject $acl
        [string](Find-Record ($inA + @{ op = 9 }) 'SetSecurity')
    }
    Test-Step 'registry: key renamed' {
        Assert-Equal ([WedrFirstBoot.Machine]::RenameKey($RunKey, "$mark-a", "$mark-b")) 0 'RegRenameKey'
        [string](Find-Record ($inA + @{ op = 4; new_name = "$mark-b" }) 'RenameKey')
    }
    Test-Step 'registry: key deleted' {
        Remove-Item -Path "HKCU:\$RunKey\$mark-b" -Recurse -Force
        [string](Find-Record @{ type = 4; pid = $PID; op = 3; status = 0; 'key_path$' = "\Run\$mark-b" } 'DeleteKey')
    }
    Test-Step 'registry: service key under its real control set' {
        $key = "HKLM:\SYSTEM\CurrentControlSet\Services\$mark"
        [void](New-Item -Path $key -Force)
        Remove-Item -Path $key -Force
        $r = Find-Record @{ type = 4; pid = $PID; op = 5; status = 0; 'key_path$' = "\Services\$mark" } 'CreateKey'
        Assert-That ($r.Get('key_path') -match '^\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet\d{3}\\') "path $($r.Get('key_path'))"
        $r.Get('key_path')
    }
    Test-Step 'registry: hive loaded, with its file' {
        $file = Join-Path $env:TEMP "$mark.hiv"
        $r = Invoke-Program 'reg.exe' @('save', 'HKCU\Environment', $file, '/y')
        Assert-Equal $r.Code 0 "reg save ($($r.Text))"
        $r = Invoke-Program 'reg.exe' @('load', "HKU\$HiveName", $file)
        Assert-Equal $r.Code 0 "reg load ($($r.Text))"
        [void](Invoke-Program 'reg.exe' @('unload', "HKU\$HiveName"))
        $record = Find-Record @{ type = 4; op = 6; 'key_path$' = "\$HiveName" } 'LoadKey'
        Assert-That ($record.Get('source_file').EndsWith("$mark.hiv", [StringComparison]::OrdinalIgnoreCase)) "file $($record.Get('source_file'))"
        [string]$record
    }
    Test-Step 'filter: a key of our choice is watched' {
        [void](New-Item -Path "HKLM:\$MachineKey" -Force)
        [void](New-ItemProperty -Path "HKLM:\$MachineKey" -Name 'before' -Value 1)
        Set-Filter ([WedrFirstBoot.Filter]::Make([WedrFirstBoot.Filter]::All, $null, @("\registry\machine\$MachineKey")))
        [void](New-ItemProperty -Path "HKLM:\$MachineKey" -Name 'after' -Value 1)
        $r = Find-Record @{ type = 4; pid = $PID; op = 1; value_name = 'after' } 'SetValue'
        Set-Filter ([WedrFirstBoot.Filter]::Make([WedrFirstBoot.Filter]::All, $null, $null))
        Assert-NoRecord @{ type = 4; pid = $PID; op = 1; value_name = 'before' } 'a key that nobody watches'
        Remove-Item -Path "HKLM:\$MachineKey" -Recurse -Force
        [string]$r
    }
    Test-Step 'filter: a class that is off makes no records' {
        Set-Filter ([WedrFirstBoot.Filter]::Make(0x17, $null, $null)) # all but threads
        $tid = [WedrFirstBoot.Machine]::RunThread()
        Sync-Reader
        Assert-Equal ($script:Device.ReadStats().State[3]) 4 'state of the thread callback'
        Set-Filter ([WedrFirstBoot.Filter]::Make([WedrFirstBoot.Filter]::All, $null, $null))
        Assert-NoRecord @{ type = 5; pid = $PID; tid = $tid } 'thread_create'
        Assert-Equal ($script:Device.ReadStats().State[3]) 1 'state of the thread callback'
        'threads'
    }
}

function Test-Tree {
    Test-Step "process tree of $Parents x ${Children}: no start lost" {
        $mark = New-Marker
        $script:Reader.KeepMask = 6 # starts and exits
        $script:Reader.Forget()
        $before = $script:Device.ReadStats()
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $pids = [WedrFirstBoot.Tree]::Grow($Parents, $Children, $mark, 1200000)
        $seconds = $watch.Elapsed.TotalSeconds
        Sync-Reader
        $known = @{}
        foreach ($p in $pids) { $known[[string]$p] = 0 }
        $keys = @{}
        foreach ($r in $script:Reader.All(@{ type = 1; 'command_line~' = $mark })) {
            $parent = [string]$r.Get('parent_pid')
            if ($known.ContainsKey($parent)) { $known[$parent]++; $keys[[string]$r.Get('process_key')] = 0 }
        }
        foreach ($r in $script:Reader.All(@{ type = 2 })) {
            $key = [string]$r.Get('process_key')
            if ($keys.ContainsKey($key)) { $keys[$key]++ }
        }
        $script:Reader.KeepMask = -1
        $script:Reader.Forget()
        $after = $script:Device.ReadStats()
        $missing = @($known.Values | Where-Object { $_ -ne $Children }).Count
        Assert-Equal $missing 0 'parents with another number of children'
        Assert-Equal $keys.Count ($Parents * $Children) 'different process keys'
        Assert-Equal (@($keys.Values | Where-Object { $_ -ne 1 }).Count) 0 'children with another number of exits than 1'
        Assert-Equal $after.Lost[0] $before.Lost[0] 'lost in the critical lane'
        '{0} starts and exits in {1:n1} s; {2} critical and {3} bulk records, {4} bulk lost; queue peaks {5} and {6}' -f `
            $keys.Count, $seconds, ($after.Produced[0] - $before.Produced[0]), ($after.Produced[1] - $before.Produced[1]), `
            ($after.Lost[1] - $before.Lost[1]), $after.QueuedPeak[0], $after.QueuedPeak[1]
    }
}

function Test-Ledger {
    Test-Step 'produced = delivered + queued + lost, and every record is well formed' {
        $reader = $script:Reader
        $reader.Stop()
        $s = $script:Device.ReadStats()
        $script:Reader = $null
        $reader.Dispose()
        Assert-Equal $reader.Failure '' 'the reader failed'
        Assert-Equal $reader.Malformed 0 "malformed records ($($reader.FirstMalformed))"
        Assert-Equal $reader.Disorder 0 'records out of order'
        Assert-Equal $s.Imbalance() '' 'imbalance'
        for ($i = 0; $i -lt 2; $i++) {
            Assert-That ($reader.Holes[$i] -le $s.Lost[$i]) "stream ${i}: $($reader.Holes[$i]) seqs missing, $($s.Lost[$i]) lost"
            Assert-That ($reader.Last[$i] -le $s.Produced[$i]) "stream ${i}: seq $($reader.Last[$i]), produced $($s.Produced[$i])"
        }
        Assert-Equal $s.Bugs 0 'internal inconsistencies'
        Assert-Equal $s.Untracked 0 'processes that were not tracked'
        'critical {0} of {1}, bulk {2} of {3}, lost {4} and {5}, cut strings {6}' -f $s.Delivered[0], $s.Produced[0], `
            $s.Delivered[1], $s.Produced[1], $s.Lost[0], $s.Lost[1], ($s.Truncated[0] + $s.Truncated[1])
    }
    Test-Step 'calls of the callbacks that failed' {
        $s = $script:Device.ReadStats()
        $text = @()
        for ($i = 0; $i -lt 5; $i++) { $text += "$($s.Calls[$i]) calls, $($s.Events[$i]) records, $($s.Failed[$i]) failed" }
        Assert-Equal ($s.Failed[0] + $s.Failed[1] + $s.Failed[3] + $s.Failed[4]) 0 ('failed calls (' + ($text -join '; ') + ')')
        'process, image, registry, thread, handle: ' + ($text -join '; ')
    }
}

function Test-Reload {
    Test-Step 'stop, start, five times: new epoch, same boot' {
        $s = $script:Device.ReadStats()
        $boot = $s.BootId
        $epochs = @{}
        $epochs[[string]$s.Epoch] = 1
        for ($i = 0; $i -lt 5; $i++) {
            Close-Device
            Stop-Driver
            Assert-Equal ([WedrFirstBoot.Device]::OpenError($true)) 2 'opening a stopped driver'
            Start-Driver
            $script:Device = [WedrFirstBoot.Device]::Open()
            $s = $script:Device.ReadStats()
            Assert-Equal $s.BootId $boot 'boot id'
            $epochs[[string]$s.Epoch] = 1
            for ($j = 0; $j -lt 5; $j++) { Assert-Equal $s.State[$j] 1 "state of callback $j" }
        }
        Assert-Equal $epochs.Count 6 'different epochs'
        'epochs differ, boot id stays'
    }
    Test-Step 'stop while processes start and end' {
        for ($i = 0; $i -lt 5; $i++) {
            $kids = @()
            for ($j = 0; $j -lt 8; $j++) { $kids += Start-Child 'cmd.exe /d /q /c for /l %i in (1,1,60) do @cmd.exe /d /q /c rem' }
            Start-Sleep -Milliseconds 300
            Close-Device
            Stop-Driver
            Start-Driver
            $script:Device = [WedrFirstBoot.Device]::Open()
            foreach ($kid in $kids) { [void]$kid.Wait(60000) }
        }
        'five times'
    }
    Test-Step 'stop while a request is parked and its handle closes' {
        Set-Filter ([WedrFirstBoot.Filter]::Make([WedrFirstBoot.Filter]::Process, $null, $null))
        $r = $script:Device.Park([WedrFirstBoot.Device]::GetEvents, 300, 20000)
        Assert-That ($null -ne $r) 'no request ever waited'
        try {
            Close-Device
            Stop-Driver
            Assert-That $r.Wait(5000) 'the request did not end'
        }
        finally { $r.Dispose() }
        Start-Driver
        $script:Device = [WedrFirstBoot.Device]::Open()
        'ended'
    }
    Test-Step 'driver unloads' {
        Close-Device
        Stop-Driver
        Assert-Equal ([WedrFirstBoot.Device]::OpenError($true)) 2 'opening a stopped driver'
        'stopped'
    }
}

function Invoke-Checks([string]$Thumbprint) {
    Write-Line '| check | result | detail |'
    Write-Line '|---|---|---|'
    Test-Package $Thumbprint
    Test-Load
    if (-not $script:Device) { Add-Row 'everything else' 'skip' 'the device could not be opened'; return }
    Test-Requests
    Test-Filter
    Test-Parking
    Test-Access
    Test-ProcessEvents
    Test-ThreadAndHandleEvents
    Test-ImageEvents
    Test-RegistryEvents
    Test-Tree
    Test-Ledger
    Test-Reload
}

# ---- From here on it does things.
$obstacle = Get-Obstacle
if ($obstacle) { Write-Host $obstacle -ForegroundColor Red; exit 2 }
Add-Type -TypeDefinition $Source -Language CSharp
$certificate = New-Object Security.Cryptography.X509Certificates.X509Certificate2((Join-Path $Package 'test-ca.cer'))
$state = Read-State
if ($CleanUp) {
    Undo-All $certificate.Thumbprint
    if (Test-Path -LiteralPath $StateFolder) { Remove-Item -LiteralPath $StateFolder -Recurse -Force }
    Write-Host 'Cleaned up. If Driver Verifier was switched on: verifier /reset, then restart.'
    exit 0
}
if (([WedrFirstBoot.Machine]::CodeIntegrity() -band 2) -eq 0) {
    Write-Host 'Test signing is off: bcdedit /set testsigning on (Secure Boot must be off), then restart.' -ForegroundColor Red
    exit 2
}
if ($Verifier) {
    $r = Invoke-Program 'verifier.exe' @('/standard', '/driver', 'WazabiEDR.sys')
    Write-Host $r.Text
    Write-State 'verifier' $certificate.Thumbprint
    Write-Host 'Driver Verifier is set for WazabiEDR.sys. Restart, then run this script with -Resume.'
    exit 0
}
$crashed = $state -and $state.Phase -eq 'running'
if (-not $crashed -and (Get-DriverState $Service)) {
    Write-Host "A driver named $Service is installed already. Take it away first, or -CleanUp if this script left it." -ForegroundColor Red
    exit 2
}
$preexisting = Test-Path "Cert:\LocalMachine\Root\$($certificate.Thumbprint)"
if (-not $crashed -and (Test-Path -LiteralPath $Result)) { Move-Item -LiteralPath $Result -Destination "$Result.old" -Force }
Write-Line "## First boot of WazabiEDR.sys$(if ($crashed) { ', continued after a run that did not end' })"
Write-Line ''
Get-Facts
if ($crashed) {
    $dumps = @(Get-ChildItem -Path (Join-Path $env:SystemRoot 'Minidump\*.dmp'), (Join-Path $env:SystemRoot 'MEMORY.DMP') -ErrorAction SilentlyContinue |
            Where-Object { $_.LastWriteTime -gt (Get-Date).AddDays(-2) } | ForEach-Object { $_.FullName })
    Write-Line "The run before this one ended without its clean-up; the last row above is where. Dumps: $($dumps -join ', ')"
    Write-Line ''
    $script:Failed++
}
$toRemove = $certificate.Thumbprint
if ($preexisting -and -not $crashed) { $toRemove = '' }
Undo-All ''
Write-State 'running' $certificate.Thumbprint
try { Invoke-Checks $certificate.Thumbprint }
catch { Add-Row 'the script itself' 'FAIL' "$($_.Exception.Message) (line $($_.InvocationInfo.ScriptLineNumber))" }
finally {
    Undo-All $toRemove
    Write-Line ''
    Write-Line "Ended: $([DateTime]::UtcNow.ToString('u')). $script:Passed passed, $script:Failed failed, $script:Skipped skipped."
    if ($Resume) {
        Write-Line ''
        Write-Line '```'
        $before = $ErrorActionPreference
        $ErrorActionPreference = 'Continue'
        & verifier.exe /query 2>&1 | ForEach-Object { Write-Line ([string]$_) }
        $ErrorActionPreference = $before
        Write-Line '```'
        [void](Invoke-Program 'verifier.exe' @('/reset'))
        Write-Host 'Driver Verifier is reset; it stays in force until the next restart.'
    }
    Remove-Item -LiteralPath $StateFolder -Recurse -Force -ErrorAction SilentlyContinue
}
Write-Host "$script:Passed passed, $script:Failed failed, $script:Skipped skipped. The table: $Result"
if ($script:Failed -gt 0) { exit 1 }
exit 0
