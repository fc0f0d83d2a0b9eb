"""BlockEdge: edge nodes buy and sell computation without trusting each other."""
