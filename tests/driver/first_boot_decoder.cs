// SPDX-License-Identifier: Apache-2.0
// Runs the C# part of packaging/windows/first-boot.ps1 where no Windows is: reads lines of hex, prints what its decoder
// says of each, one `name<TAB>value` a line and an empty line at the end. A line `filter CLASSES PATHS KEYS` (prefixes
// separated by commas) gives the bytes of that filter, `stats HEX` what it reads from an answer to GET_STATS.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using WedrFirstBoot;

static class Program
{
    static byte[] Bytes(string hex)
    {
        byte[] b = new byte[hex.Length / 2];
        for (int i = 0; i < b.Length; i++) { b[i] = byte.Parse(hex.Substring(2 * i, 2), NumberStyles.HexNumber); }
        return b;
    }

    static string Hex(byte[] b)
    {
        return BitConverter.ToString(b).Replace("-", "").ToLowerInvariant();
    }

    static string[] List(string text)
    {
        return text == "-" ? null : text.Split(',');
    }

    static void Decode(byte[] data)
    {
        Record r;
        int size;
        string bad = Wire.Decode(data, 0, data.Length, out r, out size);
        if (bad != null) { Console.WriteLine("error\t" + bad + "\nsize\t" + size); return; }
        Console.WriteLine("type\t" + r.Name + "\nsize\t" + size + "\nseq\t" + r.Seq + "\ntime\t" + r.Time + "\nstream\t" + r.Stream +
            "\ndrop_count\t" + r.DropCount + "\ntrunc_count\t" + r.TruncCount + "\nexisting\t" + (r.Flags & 1));
        foreach (KeyValuePair<string, object> f in r.Fields)
        {
            byte[] bytes = f.Value as byte[];
            int flags;
            Console.WriteLine("." + f.Key + "\t" + (bytes != null ? Hex(bytes) : Convert.ToString(f.Value, CultureInfo.InvariantCulture)));
            if (r.StringFlags.TryGetValue(f.Key, out flags)) { Console.WriteLine("flags." + f.Key + "\t" + flags); }
        }
        Dictionary<string, object> right = new Dictionary<string, object>(), wrong = new Dictionary<string, object>();
        right["type"] = r.Type;
        right["seq"] = r.Seq;
        wrong["type"] = r.Type;
        wrong["no_such_field"] = 1;
        Console.WriteLine("matches\t" + Wire.Matches(r, right) + " " + Wire.Matches(r, wrong));
    }

    static void ReadStats(byte[] data)
    {
        Stats s = new Stats(data);
        Console.WriteLine("numbers\t" + string.Join(" ", new object[] { s.Size, s.Epoch, s.Parked, s.FilterGeneration, s.Cancelled,
            s.Bugs, s.Produced[0], s.Delivered[0], s.Lost[0], s.Queued[0], s.Produced[1], s.Filtered[1], s.State[4], s.Status[4],
            s.Calls[0], s.Failed[4], s.Processes, s.Untracked }));
        Console.WriteLine("imbalance\t" + s.Imbalance());
    }

    static int Main()
    {
        Console.OutputEncoding = new UTF8Encoding(false);
        string line;
        while ((line = Console.ReadLine()) != null)
        {
            string[] word = line.Split(' ');
            if (word[0] == "filter")
            {
                Console.WriteLine("bytes\t" + Hex(Filter.Make(uint.Parse(word[1], CultureInfo.InvariantCulture), List(word[2]), List(word[3]))));
            }
            else if (word[0] == "stats") { ReadStats(Bytes(word[1])); }
            else { Decode(Bytes(line)); }
            Console.WriteLine();
        }
        return 0;
    }
}
