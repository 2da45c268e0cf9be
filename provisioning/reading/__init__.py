"""From the bytes of the operator's file to plain values with positions; knows no section."""
