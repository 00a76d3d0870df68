"""Time: is the clock right, and do the members agree?"""
